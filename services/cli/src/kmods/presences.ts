/** What --presence takes. */
export const PRESENCES = ['loaded', 'builtin', 'on_disk', 'absent', 'unknown', 'any'] as const;
export type PresenceFilter = (typeof PRESENCES)[number];
