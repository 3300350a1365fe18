import { EXIT, type ExitCode } from '../errors/exit-codes.ts';

/** Incomplete goes first: "none" is not known while some host is unknown. */
export function exitStatus(counts: { loaded: number; builtin: number; unknown: number }): ExitCode {
  if (counts.unknown > 0) return EXIT.incomplete;
  return counts.loaded + counts.builtin > 0 ? EXIT.ok : EXIT.negative;
}
