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

/** Yields the statements that give a schema with everything in it to `owner`. What is that role's already is left alone: each takes a lock. */
function handOverQuery(schema: 'audit' | 'public', owner: string): string {
  const name = literal(owner);
  return `SELECT format('ALTER SCHEMA %I OWNER TO %I', nspname, ${name}) AS statement
      FROM pg_namespace WHERE nspname = '${schema}' AND pg_get_userbyid(nspowner) <> ${name}
    UNION ALL
    SELECT format('ALTER %s %s OWNER TO %I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END,
                  c.oid::regclass, ${name})
      FROM pg_class c
     WHERE c.relnamespace = '${schema}'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND pg_get_userbyid(c.relowner) <> ${name}
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e')
                         AND (c.relkind = 'S' OR d.deptype = 'e'))
    UNION ALL
    SELECT format('ALTER ROUTINE %s OWNER TO %I', p.oid::regprocedure, ${name})
      FROM pg_proc p
     WHERE p.pronamespace = '${schema}'::regnamespace AND pg_get_userbyid(p.proowner) <> ${name}
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`;
}

function handOverSql(schema: 'audit' | 'public', owner: string): string {
  return `DO $$ DECLARE each record; BEGIN
  FOR each IN ${handOverQuery(schema, owner)}
  LOOP EXECUTE each.statement; END LOOP;
END $$;
`;
}

/** What gives `public` to the server's role. To be run one by one where a server may be at work: together they hold locks that it takes in another order. */
export async function selectHandOver(sql: Sql, role: string): Promise<string[]> {
  const rows = await sql.query<{ statement: string }>(handOverQuery('public', role));
  return rows.map(({ statement }) => statement);
}

/**
 * Takes the audit log out of the hands of the server's role: it may read and append, and nothing else. For a superuser to run; can be run again.
 *
 * The triggers fire for everybody then, whatever session_replication_role says; only a superuser or the owner can switch them off.
 */
export function protectSql(role: string): string {
  const server = identifier(role);
  return `${ownerSql}${closeSql(role)}${handOverSql('audit', OWNER)}DO $$ DECLARE each record; BEGIN
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
 * Makes an ordinary role for the server, where there is none. For a superuser to run; can be run again.
 *
 * @param password null: the role gets none here.
 */
export function roleSql(role: string, database: string, password: string | null): string {
  const server = identifier(role);
  const withPassword =
    password === null ? '' : `ALTER ROLE ${server} PASSWORD ${literal(passwordForStorage(password))};\n`;
  return `DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(role)}) THEN CREATE ROLE ${server} LOGIN; END IF;
END $$;
${withPassword}GRANT CONNECT ON DATABASE ${identifier(database)} TO ${server};
`;
}

/** {@link roleSql}, and gives it the schema `public` with everything in it. */
export function ownRoleSql(role: string, database: string, password: string | null): string {
  return `${roleSql(role, database, password)}${handOverSql('public', role)}`;
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
