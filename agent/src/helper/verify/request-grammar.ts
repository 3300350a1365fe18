import {
  type ActionRequest,
  canonicalKmodName,
  isConfirmWindow,
  isKnownVerb,
  isOverride,
  type TimeReading,
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
  const { actionId, verb, kmod, parameters, expiresAtMs, notBeforeMs, confirmWindowSeconds, overrides } = request;
  if (!isUuid(actionId)) return 'its action id is no UUID';
  if (!isKnownVerb(verb)) return `verb ${String(verb)} is not known to this helper`;
  if (!isCanonical(kmod)) return 'its kmod is no canonical kmod name';
  if (parameters.length > MAX_PARAMETERS) return `it has more than ${MAX_PARAMETERS} parameters`;
  if (parameters.some((one) => !PARAMETER.test(one) || Buffer.byteLength(one) > MAX_PARAMETER_BYTES))
    return 'a parameter is not name=value without white space and quotes, or is longer than 1 KiB';
  if (verb === Verb.VERB_UNLOAD && parameters.length > 0) return 'an unload takes no parameters';
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
