import {
  type ActionRequest,
  canonicalKmodName,
  DIGEST_BYTES,
  isConfirmWindow,
  isKnownVerb,
  isOverride,
  isUndoKind,
  type TimeReading,
  UNDO_STEPS_MAX,
  type UndoStep,
  Verb,
  type WayToServer,
  isUuid,
} from '@modfleet/proto';
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** Why a field cannot be taken, for people; undefined when all is well. */
export type Complaint = string | undefined;

/** name=value without white space, quotes and control characters; 1 KiB is the kernel's own limit (COMMAND_LINE_SIZE of a parameter string is higher). */
const PARAMETER = /^[A-Za-z0-9_][A-Za-z0-9_.-]*=[^\s"'\p{Cc}]*$/u;
const MAX_PARAMETER_BYTES = 1_024;
const MAX_PARAMETERS = 64;

/** Plans that a rollout may have been approved for: one a class of hosts. */
const MAX_PLANS = 256;

/** Ids that one frame may acknowledge. */
const MAX_IDS = 4_096;

/** The server lets an action live for a day at most; an hour for clocks. */
const LONGEST_LIFE_MS = 25 * 60 * 60 * 1000;

/** During a rotation there are two. */
const MAX_CAS = 8;
const MAX_CA_BYTES = 8_192;

/** Past this a bound says nothing. */
const MAX_ERROR_MS = 60_000;

/** 2020-01-01, ms since the epoch: no server of ours has run before. */
const EARLIEST_SERVER_TIME_MS = 1_577_836_800_000;

/** Every field of a request by itself; what they mean together is the verdict's business. Pure. */
export function complaintAboutRequest(request: ActionRequest): Complaint {
  const { actionId, verb, kmod, expiresAtMs, notBeforeMs, confirmWindowSeconds, overrides } = request;
  if (!isUuid(actionId)) return 'its action id is no UUID';
  if (!isKnownVerb(verb)) return `verb ${String(verb)} is not known to this helper`;
  if (!isCanonical(kmod)) return 'its kmod is no canonical kmod name';
  const wrong = complaintAboutParameters(request.parameters) ?? complaintAboutVerb(request);
  if (wrong !== undefined) return wrong;
  if (!Number.isSafeInteger(expiresAtMs)) return 'its expiry is no time';
  if (!Number.isSafeInteger(notBeforeMs) || notBeforeMs > expiresAtMs) return 'it would expire before it may begin';
  if (notBeforeMs !== 0 && expiresAtMs - notBeforeMs > LONGEST_LIFE_MS) return 'its time is longer than a day';
  if (!Number.isSafeInteger(request.epoch) || !Number.isSafeInteger(request.sequence)) return 'its number is none';
  if (confirmWindowSeconds !== 0 && !isConfirmWindow(confirmWindowSeconds))
    return `${confirmWindowSeconds} s is no confirm window`;
  if (new Set(overrides).size !== overrides.length || !overrides.every(isOverride))
    return 'it sets a protection aside that cannot be set aside';
  return undefined;
}

function complaintAboutParameters(parameters: readonly string[]): Complaint {
  if (parameters.length > MAX_PARAMETERS) return `it has more than ${MAX_PARAMETERS} parameters`;
  if (parameters.some((one) => !PARAMETER.test(one) || Buffer.byteLength(one) > MAX_PARAMETER_BYTES))
    return 'a parameter is not name=value without white space and quotes, or is longer than 1 KiB';
  return undefined;
}

/** What only some verbs have. */
function complaintAboutVerb({ verb, parameters, undo, approvedPlans }: ActionRequest): Complaint {
  const isUnload = verb === Verb.VERB_UNLOAD || verb === Verb.VERB_ENSURE_UNLOADED;
  if (isUnload && parameters.length > 0) return 'an unload takes no parameters';
  if (verb === Verb.VERB_SET_PARAMETERS && parameters.length === 0) return 'it has no parameters to set';
  if (verb === Verb.VERB_RESTORE && parameters.length > 0) return 'a restore has its parameters in its undo steps';
  if ((verb === Verb.VERB_RESTORE) !== undo.length > 0) return 'a restore has undo steps, and nothing else has';
  if (undo.length > UNDO_STEPS_MAX) return `it has more than ${UNDO_STEPS_MAX} undo steps`;
  if (approvedPlans.length > MAX_PLANS) return `it has more than ${MAX_PLANS} approved plans`;
  if (approvedPlans.some((digest) => digest.length !== DIGEST_BYTES)) return 'an approved plan is no digest';
  return undo.map(complaintAboutUndo).find((one) => one !== undefined);
}

function complaintAboutUndo({ kind, kmod, parameters }: UndoStep): Complaint {
  if (!isUndoKind(kind)) return 'it has an undo step that is not known to this helper';
  if (!isCanonical(kmod)) return 'the kmod of an undo step is no canonical kmod name';
  const takes = kind === 'load' || kind === 'set_parameters';
  if (!takes && parameters.length > 0) return `an undo step ${kind} takes no parameters`;
  if (kind === 'set_parameters' && parameters.length === 0) return 'an undo step sets no parameters';
  return complaintAboutParameters(parameters);
}

/** An expiry further away than a server grants is not a server's. Pure. */
export function complaintAboutExpiry({ expiresAtMs }: ActionRequest, nowMs: number | undefined): Complaint {
  if (nowMs === undefined || expiresAtMs <= nowMs + LONGEST_LIFE_MS) return undefined;
  return 'it would expire more than a day from now';
}

/** Pure. `bootNowMs`: boot time now. */
export function complaintAboutTime(reading: TimeReading, bootNowMs: number): Complaint {
  const { serverTimeMs, errorMs, boottimeMs } = reading;
  if (serverTimeMs < EARLIEST_SERVER_TIME_MS) return 'its server time is before 2020';
  if (errorMs > MAX_ERROR_MS) return `its error of ${errorMs} ms is too wide`;
  // /proc/uptime has a resolution of 10 ms.
  if (boottimeMs > bootNowMs + 20) return 'it was read in the future';
  return undefined;
}

/** Pure. */
export function complaintAboutWay({ remoteAddress, localAddress }: WayToServer): Complaint {
  const isAddress = (text: string): boolean => isIP(text.replace(/%[A-Za-z0-9_.-]{1,15}$/, '')) !== 0;
  if (!isAddress(remoteAddress) || (localAddress !== '' && !isAddress(localAddress))) return 'an address is none';
  return undefined;
}

/** The CA certificates in these (DER); what is wrong with them otherwise. Pure. */
export function certificatesIn(ders: readonly Uint8Array[]): readonly X509Certificate[] | string {
  if (ders.length > MAX_CAS || ders.some((der) => der.length > MAX_CA_BYTES))
    return 'more CA certificates than there are';
  try {
    const cas = ders.map((der) => new X509Certificate(der));
    return cas.every((one) => one.ca) ? cas : 'a certificate is of no CA';
  } catch {
    return 'a CA certificate is none';
  }
}

/** Pure. */
export function complaintAboutIds(ids: readonly string[]): Complaint {
  if (ids.length > MAX_IDS) return `more than ${MAX_IDS} ids`;
  return ids.every(isUuid) ? undefined : 'an action id is no UUID';
}

function isCanonical(kmod: string): boolean {
  try {
    return canonicalKmodName(kmod) === kmod;
  } catch {
    return false;
  }
}
