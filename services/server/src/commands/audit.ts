import { createPublicKey, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { notProvenBy, provenBy } from '../audit/audit.view.ts';
import { isSuperuser, ownRoleSql, protectSql, selectSelf } from '../audit/protect.queries.ts';
import { SealSigner, SealVerifier } from '../audit/seal-key.ts';
import { verifyAudit } from '../audit/verify.ts';
import { ExportedFile } from '../audit/verify-export.ts';
import type { VerifyReport } from '../audit/verify.model.ts';
import { readSecretFile } from '../config/secret-file.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { openKeptKeys } from '../keys/kept-keys.ts';
import { UsageError } from './usage-error.ts';

type Print = (line: string) => void;

export const AUDIT_USAGE = `modfleet-server audit verify [--seals FILE] [--public-key FILE]
modfleet-server audit protect [--role NAME [--role-password-file FILE]] [--admin-url-file FILE] [--print]`;

/** The audit log, on the server's own machine. @returns the exit code: 1 when the log is not whole. */
export async function audit(config: ServerConfig, args: readonly string[], print: Print): Promise<number> {
  const [verb, ...rest] = args;
  switch (verb) {
    case 'verify':
      return verify(config, rest, print);
    case 'protect':
      return protect(config, rest, print);
    default:
      throw new UsageError(`${verb === undefined ? 'say what to do' : `there is no "audit ${verb}"`}\n${AUDIT_USAGE}`);
  }
}

/** With `--public-key` nothing but that key and the database is needed; macs are left out then. */
async function verify(config: ServerConfig, args: readonly string[], print: Print): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { seals: { type: 'string' }, 'public-key': { type: 'string' } },
  });
  const seals = values.seals ?? config.auditSealsFile;
  if (values.seals !== undefined && !existsSync(seals)) throw new UsageError(`there is no file ${seals}`);
  const keys = keysOf(config, values['public-key']);
  const report = await withDatabase(config.databaseUrl, (database) =>
    verifyAudit(database, { ...keys, exported: existsSync(seals) ? new ExportedFile(seals) : undefined }),
  );
  for (const line of lines(report)) print(line);
  return report.intact ? 0 : 1;
}

function keysOf(
  config: ServerConfig,
  publicKeyFile: string | undefined,
): { verifier: SealVerifier; macKey: KeyObject | null } {
  if (publicKeyFile !== undefined) {
    try {
      return { verifier: new SealVerifier(createPublicKey(readFileSync(publicKeyFile))), macKey: null };
    } catch (error) {
      throw new UsageError(`${publicKeyFile} holds no public key (${(error as Error).message})`);
    }
  }
  const keys = openKeptKeys(config, 'Or give the public key of the server with --public-key FILE.');
  return { verifier: new SealSigner(keys.sealKey('audit-seal')).verifier, macKey: keys.sealKey('audit') };
}

function lines(report: VerifyReport): string[] {
  const age = report.unsealedAgeMs === null ? '' : `, the oldest for ${Math.floor(report.unsealedAgeMs / 1000)} s`;
  const last =
    report.lastSeal === null ? 'none' : `${report.lastSeal.number}, ${new Date(report.lastSeal.atMs).toISOString()}`;
  return [
    report.intact
      ? 'The audit log is whole, as far as it can be proven.'
      : `The audit log is NOT whole: ${report.problemCount} problem(s). The first bad row: ${report.firstBadRow ?? 'none is named'}`,
    ...report.problems.map(({ kind, text }) => `  ${kind}: ${text}`),
    `rows: ${report.rows}, ${report.sealedRows} of them sealed; without a seal: ${report.unsealedRows}${age}`,
    `last seal: ${last}; exported file: ${report.exported === null ? 'none to compare with' : `${report.exported.file}, ${report.exported.seals} seals`}`,
    `append-only: ${report.appendOnly.enforced ? 'enforced' : 'NOT enforced'}: ${report.appendOnly.why}`,
    ...(report.intact ? provenBy(report).map((text) => `proven: ${text}`) : []),
    ...notProvenBy(report).map((text) => `not proven: ${text}`),
    `took ${(report.durationMs / 1000).toFixed(1)} s`,
  ];
}

/** Takes the audit log out of the hands of the server's role (docs/audit.md). */
async function protect(config: ServerConfig, args: readonly string[], print: Print): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { role: text, 'role-password-file': text, 'admin-url-file': text, print: { type: 'boolean' } },
  });
  const passwordFile = values['role-password-file'];
  if (passwordFile !== undefined && values.role === undefined)
    throw new UsageError(`--role-password-file belongs to --role NAME\n${AUDIT_USAGE}`);
  const password = passwordFile === undefined ? null : secretIn('--role-password-file', passwordFile);
  const adminUrlFile = values['admin-url-file'];
  const adminUrl = adminUrlFile === undefined ? config.databaseDirectUrl : secretIn('--admin-url-file', adminUrlFile);
  const self = await withDatabase(config.databaseUrl, selectSelf);
  const role = values.role ?? self.role;
  return withDatabase(values.print === true ? config.databaseUrl : adminUrl, async (database) => {
    if (await isSuperuser(database, role))
      throw new UsageError(
        `the role ${role} is a superuser, and nothing can be kept from one: make a role for the server with --role NAME --role-password-file FILE`,
      );
    // Nothing that the server's role made in its own schema stands in for PostgreSQL's.
    const sql = `SET LOCAL search_path = pg_catalog;\n${values.role === undefined ? '' : ownRoleSql(role, self.database, values.print === true ? null : password)}${protectSql(role)}`;
    if (values.print === true) {
      print(`BEGIN;\n${sql}COMMIT;`);
      return 0;
    }
    const admin = await selectSelf(database);
    if (!admin.superuser)
      throw new UsageError(
        `this takes a superuser, and ${admin.role} is none: name a file with a superuser's connection string with --admin-url-file FILE, or run "modfleet-server audit protect --print | psql" as one`,
      );
    // One query of several statements is one transaction.
    await database.query(sql);
    print(`the audit log belongs to modfleet_audit now; ${role} may only read and append`);
    if (role !== self.role)
      print(
        `the schema public belongs to ${role} now: set DATABASE_URL to log in as ${role} instead of ${self.role}, and start the server anew`,
      );
    return 0;
  });
}

/** @throws UsageError when the file that an option names cannot be read. */
function secretIn(option: string, path: string): string {
  const problems: string[] = [];
  const text = readSecretFile(option, path, problems);
  if (text === undefined)
    throw new UsageError(`${problems.join('; ')}: name a file that is there, and that you may read\n${AUDIT_USAGE}`);
  return text;
}

async function withDatabase<T>(databaseUrl: string, work: (database: DatabaseService) => Promise<T>): Promise<T> {
  const database = new DatabaseService({ databaseUrl, dbPoolSize: 2 });
  try {
    return await work(database);
  } finally {
    await database.onApplicationShutdown();
  }
}
