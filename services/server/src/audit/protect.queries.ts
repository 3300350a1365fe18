import type { Sql } from '../database/database.service.ts';
import { passwordForStorage } from './scram.ts';

/** Owns the audit log; nobody logs in as it. */
export const OWNER = 'modfleet_audit';

/** An SQL identifier. */
function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

const ownerSql = `DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${OWNER}') THEN CREATE ROLE ${OWNER} NOLOGIN; END IF;
END $$;
`;

/** Gives a schema with everything in it to `owner`. What is that role's already is left alone: each change takes a lock that stops a running server. */
function giveSchemaSql(schema: 'audit' | 'public', owner: string): string {
  const name = literal(owner);
  return `DO $$ DECLARE each record; BEGIN
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = '${schema}' AND pg_get_userbyid(nspowner) = ${name})
    THEN EXECUTE format('ALTER SCHEMA ${schema} OWNER TO %I', ${name}); END IF;
  FOR each IN
    SELECT c.oid::regclass AS name, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END AS kind
      FROM pg_class c
     WHERE c.relnamespace = '${schema}'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND pg_get_userbyid(c.relowner) <> ${name}
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e')
                         AND (c.relkind = 'S' OR d.deptype = 'e'))
  LOOP EXECUTE format('ALTER %s %s OWNER TO %I', each.kind, each.name, ${name}); END LOOP;
  FOR each IN
    SELECT p.oid::regprocedure AS name FROM pg_proc p
     WHERE p.pronamespace = '${schema}'::regnamespace AND pg_get_userbyid(p.proowner) <> ${name}
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  LOOP EXECUTE format('ALTER ROUTINE %s OWNER TO %I', each.name, ${name}); END LOOP;
END $$;
`;
}

/**
 * Takes the audit log out of the hands of the server's role: it may read and append, and nothing else. For a superuser to run; can be run again.
 *
 * The triggers fire for everybody then, whatever session_replication_role says; only a superuser or the owner can switch them off.
 */
export function protectSql(role: string): string {
  const server = identifier(role);
  return `${ownerSql}${closeSql(role)}${giveSchemaSql('audit', OWNER)}DO $$ DECLARE each record; BEGIN
  FOR each IN
    SELECT tgrelid::regclass AS name, tgname FROM pg_trigger
     WHERE tgrelid IN ('audit.entry'::regclass, 'audit.seal'::regclass) AND tgname LIKE '%append_only' AND tgenabled <> 'A'
  LOOP EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', each.name, each.tgname); END LOOP;
END $$;
REVOKE ALL ON SCHEMA audit FROM PUBLIC, ${server};
REVOKE ALL ON ALL TABLES IN SCHEMA audit FROM PUBLIC, ${server};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA audit FROM PUBLIC, ${server};
REVOKE ALL ON ALL ROUTINES IN SCHEMA audit FROM PUBLIC, ${server};
GRANT USAGE ON SCHEMA audit TO ${server};
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA audit TO ${server};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA audit TO ${server};
`;
}

/**
 * Makes an ordinary role for the server, where there is none, and gives it the schema `public` with everything in it. For a superuser to run; can be
 * run again.
 *
 * @param password null: the role gets none here.
 */
export function ownRoleSql(role: string, database: string, password: string | null): string {
  const server = identifier(role);
  const withPassword =
    password === null ? '' : `ALTER ROLE ${server} PASSWORD ${literal(passwordForStorage(password))};\n`;
  return `DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(role)}) THEN CREATE ROLE ${server} LOGIN; END IF;
END $$;
${withPassword}GRANT CONNECT ON DATABASE ${identifier(database)} TO ${server};
${giveSchemaSql('public', role)}`;
}

/** Lets the server's role migrate the audit log, too, until {@link protectSql} takes that back. For a superuser to run. */
export function openSql(role: string, database: string): string {
  return `${ownerSql}GRANT CREATE ON DATABASE ${identifier(database)} TO ${OWNER};
GRANT ${OWNER} TO ${identifier(role)};
`;
}

/** Takes back what {@link openSql} gave; {@link protectSql} does it, too. */
export function closeSql(role: string): string {
  return `REVOKE ${OWNER} FROM ${identifier(role)};\n`;
}

/** Whether the audit log is in this database yet. */
export async function hasAuditLog(sql: Sql): Promise<boolean> {
  const [row] = await sql.query<{ there: boolean }>(`SELECT to_regclass('audit.seal') IS NOT NULL AS there`);
  return row?.there === true;
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
