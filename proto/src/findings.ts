import { FindingLayer } from '../gen/modfleet/types/v1/action.ts';

/**
 * Every finding, in the order in which findings decide: of all findings that refuse, the first in this list is the verdict's `decided_by`.
 *
 * First who may ask at all and what makes the question pointless; then what no kernel answer may outrank (a kernel that died, and what the
 * host stands on: "it carries the root file system" says more than the reference count that follows from it); then what the kernel would say,
 * in the order in which it says it (kernel/module/main.c; tried on 86 kmods of two kernels); then the rest of what we say. docs/outcomes.md
 * explains each.
 */
export const FINDINGS = [
  { code: 'unsupported', layer: FindingLayer.FINDING_LAYER_POLICY },
  { code: 'denied_by_host_policy', layer: FindingLayer.FINDING_LAYER_POLICY },
  { code: 'no_module_support', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'already', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'kernel_died', layer: FindingLayer.FINDING_LAYER_POLICY },
  { code: 'modules_disabled', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'protected', layer: FindingLayer.FINDING_LAYER_POLICY },
  { code: 'builtin', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'not_found', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'parameter_not_writable', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'release_files_missing', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'unload_unsupported', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'busy', layer: FindingLayer.FINDING_LAYER_POLICY },
  { code: 'held_by', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'in_use', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'permanent', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'parameters_differ', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'signature_required', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'lockdown', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'wrong_release', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'symbol_missing', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'parameter_invalid', layer: FindingLayer.FINDING_LAYER_KERNEL },
  { code: 'blocked', layer: FindingLayer.FINDING_LAYER_POLICY },
  { code: 'custom_command', layer: FindingLayer.FINDING_LAYER_POLICY },
  { code: 'persistence_foreign', layer: FindingLayer.FINDING_LAYER_POLICY },
  { code: 'needs_confirm_window', layer: FindingLayer.FINDING_LAYER_POLICY },
  { code: 'drifted', layer: FindingLayer.FINDING_LAYER_POLICY },
] as const satisfies readonly { readonly code: string; readonly layer: FindingLayer }[];

/** Code of a finding. */
export type FindingCode = (typeof FINDINGS)[number]['code'];

/** All codes, in deciding order. */
export const FINDING_CODES: readonly FindingCode[] = FINDINGS.map((finding) => finding.code);

/** Whether a text from the wire is a finding code that this build knows. */
export function isFindingCode(code: string): code is FindingCode {
  return FINDINGS.some((finding) => finding.code === code);
}

/** The layer that a finding belongs to. */
export function findingLayer(code: FindingCode): FindingLayer {
  return FINDINGS.find((finding) => finding.code === code)?.layer ?? FindingLayer.FINDING_LAYER_UNSPECIFIED;
}

/** Negative when `a` decides before `b`. */
export function compareFindings(a: FindingCode, b: FindingCode): number {
  return FINDING_CODES.indexOf(a) - FINDING_CODES.indexOf(b);
}

/** Codes that only a result carries: what was learnt after the verdict. A result's `reason_code` is one of these, a finding code, or empty. */
export const REASON_CODES = [
  /** The kernel said no although the verdict allowed it. */
  'rejected_by_kernel',
  /** The programs said yes, /proc/modules says otherwise. */
  'not_verified',
  /** A file of the host could not be written as the step wanted it. */
  'not_written',
  /** The same id was used for another request. */
  'id_conflict',
  /** The journal cannot be written: nothing was begun. */
  'unjournalled',
  /** Too many tombstones: nothing was begun. */
  'tombstones_full',
  /** No server time of this boot that is recent enough: nothing was begun. */
  'no_server_time',
  /** Its time was over: nothing was begun. */
  'expired',
  /** Taken back before it began. */
  'cancelled',
  /** The agent ended between intent and result. */
  'interrupted',
  /** A step did not return in its time. */
  'stuck',
  /** No confirm inside the confirm window: done, and put back. */
  'not_confirmed',
  /** The host is quarantined: it reports, and does not act. */
  'quarantined',
  /** The server does not sign what it asks: nothing was begun. */
  'unsigned',
  /** Not what the server signed: nothing was begun. */
  'signature_invalid',
  /** Signed for another host: nothing was begun. */
  'wrong_host',
  /** Accepted later than the host's server time: nothing was begun. */
  'not_yet',
  /** Of an epoch that is over: nothing was begun. */
  'epoch_stale',
  /** A later command was taken before: nothing was begun. */
  'sequence_used',
  /** The host cannot note that it takes this command: nothing was begun. */
  'command_unkept',
] as const;
