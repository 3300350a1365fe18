/** The engine's own call stack, of use to nobody who runs the server; the cause of the error keeps it. */
const ENGINE_STACK = /\n\s+\d+: \w+::[\s\S]*$/;

const WAYS_OUT: readonly (readonly [seen: RegExp, way: string])[] = [
  [/password authentication failed/, 'check user and password in DATABASE_URL (or DATABASE_PASSWORD_FILE)'],
  [
    /client password must be a string/,
    'put the password into DATABASE_URL, or into a file with DATABASE_PASSWORD_FILE',
  ],
  [/lock timeout/, 'something holds a table that is to change (a backup, a verification): run it again after that'],
  [/database "[^"]*" does not exist/, 'create it (createdb), or name another in DATABASE_URL'],
  [
    /permission denied for (schema|database)/,
    'the user of DATABASE_URL must be able to create tables: make it the owner of the database',
  ],
];

/** What went wrong with the migration, and the way out where one is known. Without connection strings. */
export function migrationProblem(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const short = text
    .replace(ENGINE_STACK, '')
    .replaceAll(/postgres(ql)?:\/\/\S+/g, 'postgresql://…')
    .slice(0, 2_000);
  const way = WAYS_OUT.find(([seen]) => seen.test(short))?.[1];
  return way === undefined ? short : `${short}; ${way}`;
}

/** Whether a migration changes the schema of the audit log. Taken for one that does when in doubt: then it is only applied in another way. */
export function touchesAuditLog(script: string): boolean {
  return /\baudit"?\s*\.|\bschema\b[^;]*\baudit\b/i.test(script.replaceAll(/--.*$/gm, ''));
}
