/** The number of a command. */
export interface CommandNumber {
  readonly epoch: number;
  readonly sequence: number;
}

/** What this server knows where a host has taken a command. */
export interface KnownHere extends CommandNumber {
  /** The action that has the command's number here; undefined when none has. */
  readonly actionOfNumber: string | undefined;
}

/**
 * Whether a command that a host has taken, and this server signed, proves that the database (or the keys folder) is older than the command. Pure.
 *
 * An older epoch proves nothing: numbers begin anew with each. A number that another action has here was given twice: after the database was put
 * back actions were accepted before this host came.
 */
export function provesRestore(taken: CommandNumber & { readonly actionId: string }, known: KnownHere): boolean {
  if (taken.epoch !== known.epoch) return taken.epoch > known.epoch;
  if (taken.sequence > known.sequence) return true;
  return known.actionOfNumber !== undefined && known.actionOfNumber !== taken.actionId;
}

/** The epoch that follows: above this server's, and above every one that a host has told. Pure. */
export function epochAfter(epoch: number, told: number | null): number {
  return Math.max(epoch, told ?? 0) + 1;
}
