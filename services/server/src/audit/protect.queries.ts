import type { Sql } from '../database/database.service.ts';

/** Owns the audit log; nobody logs in as it. */
const OWNER = 'modfleet_audit';

/** An SQL identifier. */
function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * Takes the audit log out of the hands of the server's role: it may read and append, and nothing else. For a superuser to run; can be run again.
 *
 * The triggers fire for everybody then, whatever session_replication_role says; only a superuser or the owner can switch them off.
 */
export function protectSql(role: string): string {
  const server = identifier(role);
  return `DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${OWNER}') THEN CREATE ROLE ${OWNER} NOLOGIN; END IF;
END $$;
REVOKE ${OWNER} FROM ${server};
ALTER SCHEMA audit OWNER TO ${OWNER};
ALTER TABLE audit.entry OWNER TO ${OWNER};
ALTER TABLE audit.seal OWNER TO ${OWNER};
ALTER FUNCTION audit.refuse_change() OWNER TO ${OWNER};
ALTER TABLE audit.entry ENABLE ALWAYS TRIGGER entry_append_only;
ALTER TABLE audit.seal ENABLE ALWAYS TRIGGER seal_append_only;
REVOKE ALL ON SCHEMA audit FROM PUBLIC, ${server};
REVOKE ALL ON ALL TABLES IN SCHEMA audit FROM PUBLIC, ${server};
GRANT USAGE ON SCHEMA audit TO ${server};
GRANT SELECT, INSERT ON audit.entry, audit.seal TO ${server};
`;
}

/**
 * Makes an ordinary role for the server and gives it the database with everything in it but the audit log, where the server has been the superuser until
 * now. For a superuser to run.
 *
 * @param password null: the role gets none here.
 */
export function ownRoleSql(role: string, database: string, password: string | null): string {
  const server = identifier(role);
  const withPassword = password === null ? '' : `ALTER ROLE ${server} PASSWORD ${literal(password)};\n`;
  return `DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(role)}) THEN CREATE ROLE ${server} LOGIN; END IF;
END $$;
${withPassword}ALTER DATABASE ${identifier(database)} OWNER TO ${server};
DO $$ DECLARE each record; BEGIN
  FOR each IN
    SELECT c.oid::regclass AS name, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END AS kind
      FROM pg_class c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e') AND c.relkind = 'S')
  LOOP EXECUTE format('ALTER %s %s OWNER TO %I', each.kind, each.name, ${literal(role)}); END LOOP;
  FOR each IN SELECT p.oid::regprocedure AS name FROM pg_proc p
     WHERE p.pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  LOOP EXECUTE format('ALTER ROUTINE %s OWNER TO %I', each.name, ${literal(role)}); END LOOP;
END $$;
`;
}

/** Who this connection is, and where. */
export async function selectSelf(sql: Sql): Promise<{ role: string; superuser: boolean; database: string }> {
  const [row] = await sql.query<{ role: string; superuser: boolean; database: string }>(
    `SELECT rolname::text AS role, rolsuper AS superuser, current_database()::text AS database FROM pg_roles WHERE rolname = current_user`,
  );
  if (row === undefined) throw new Error('Postgres did not say who this is');
  return row;
}

/** Whether a role is there and a superuser. */
export async function isSuperuser(sql: Sql, role: string): Promise<boolean> {
  const [row] = await sql.query<{ superuser: boolean }>(
    'SELECT rolsuper AS superuser FROM pg_roles WHERE rolname = $1',
    [role],
  );
  return row?.superuser === true;
}
