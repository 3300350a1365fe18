/** Seconds of a confirm window that is asked for without a number. */
export const CONFIRM_WINDOW_DEFAULT_S = 120;

/** Shortest window: below it a driver, udev and an address by DHCP may not be back in time. */
export const CONFIRM_WINDOW_MIN_S = 30;

/** Longest window: how long a host may be cut off before it puts itself back. */
export const CONFIRM_WINDOW_MAX_S = 600;

/** Whether a number of seconds is a window that may be asked for. */
export function isConfirmWindow(seconds: number): boolean {
  return Number.isInteger(seconds) && seconds >= CONFIRM_WINDOW_MIN_S && seconds <= CONFIRM_WINDOW_MAX_S;
}

/** Protections that can be set aside inside a confirm window. Storage is not among them: no revert brings a lost disk back. */
export const OVERRIDES = ['route'] as const;

/** One of the words above. */
export type OverrideWord = (typeof OVERRIDES)[number];

/** Whether a text from the wire is an override that this build knows. */
export function isOverride(word: string): word is OverrideWord {
  return OVERRIDES.some((known) => known === word);
}

/** Why a window ended in a revert, or without a confirm. Counted apart. */
export const CONFIRM_CAUSES = [
  /** No answer of the server came by the deadline. */
  'no_server',
  /** The server answered that it does not confirm this action. */
  'refused',
  /** The agent ended inside the window; the timer outside it acted. */
  'agent_died',
  /** The host went down inside the window; what boot brought back was compared, and what was missing put back. */
  'rebooted',
  /** The step itself failed; what it had changed was put back. */
  'step_failed',
] as const;

/** One of the words above. */
export type ConfirmCause = (typeof CONFIRM_CAUSES)[number];

/** Whether a text from the wire is a cause that this build knows. */
export function isConfirmCause(word: string): word is ConfirmCause {
  return CONFIRM_CAUSES.some((known) => known === word);
}
