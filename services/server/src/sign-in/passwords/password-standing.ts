/** What an account has for a password. `broken`: changed outside the server; nobody signs in with it. */
export const PASSWORD_STANDINGS = ['none', 'one_time', 'own', 'broken'] as const;
export type PasswordStanding = (typeof PASSWORD_STANDINGS)[number];
