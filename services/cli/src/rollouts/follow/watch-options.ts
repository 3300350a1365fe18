/** Milliseconds: how long a rollout may be followed. */
export const WATCH_TIMEOUT = { min: 1000, max: 7 * 86_400_000 };
