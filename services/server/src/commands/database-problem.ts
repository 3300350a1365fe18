/** By SQLSTATE, and Prisma's code for the same. */
const WAYS_OUT: Readonly<Record<string, string>> = {
  '3D000': 'create it (createdb), or name another one in DATABASE_URL',
  '28P01': 'check user and password in DATABASE_URL (or DATABASE_PASSWORD_FILE)',
  '28000': 'check user and password in DATABASE_URL (or DATABASE_PASSWORD_FILE), and what pg_hba.conf allows them',
  '42501': 'check the user in DATABASE_URL: the tables belong to another one, or were taken from it',
};
const NO_TABLES = new Set(['42P01', '42703', '3F000', 'P2021', 'P2022']);

/** One sentence with the way out for a database that answers and is not the right one; undefined for anything else. */
export function databaseProblem(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = String((error as { code?: unknown }).code);
  const said = error.message.trim().replaceAll(/\s*\n\s*/g, ' ');
  if (NO_TABLES.has(code))
    return `The database that DATABASE_URL names holds no modfleet, or another version of it (${said}): name the right one in DATABASE_URL, or bring this one to this version with "modfleet-server migrate".`;
  const way = WAYS_OUT[code];
  if (way !== undefined) return `The database refuses (${said}): ${way}.`;
  return databaseProblem(error.cause);
}
