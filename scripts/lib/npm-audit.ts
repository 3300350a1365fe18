import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './paths.ts';
import { runProgram } from './program.ts';

export interface Advisory {
  /** GHSA id, or the number that npm gives it. */
  readonly id: string;
  readonly package: string;
  readonly severity: string;
  readonly title: string;
}

/** What `npm audit` says, or why it says nothing. */
export type AuditAnswer =
  | { readonly kind: 'answered'; readonly advisories: readonly Advisory[] }
  | { readonly kind: 'silent'; readonly why: string };

interface Via {
  readonly url?: string;
  readonly source?: number;
  readonly severity?: string;
  readonly title?: string;
}

/** Asks the registry about everything in package-lock.json. */
export async function npmAudit(): Promise<AuditAnswer> {
  const { output } = await runProgram('npm', ['audit', '--json'], { cwd: repository });
  return readAudit(output);
}

/** Reads what `npm audit --json` printed, with npm's own lines around it. */
export function readAudit(output: string): AuditAnswer {
  const json = /^\{.*^\}/ms.exec(output)?.[0];
  if (json === undefined) return { kind: 'silent', why: output.trim().split('\n').at(-1) ?? 'npm said nothing' };
  const report = JSON.parse(json) as { message?: string; vulnerabilities?: Record<string, { via: (Via | string)[] }> };
  if (report.vulnerabilities === undefined)
    return { kind: 'silent', why: report.message ?? 'no list of vulnerabilities' };
  const advisories = Object.entries(report.vulnerabilities).flatMap(([name, { via }]) =>
    via
      .filter((one) => typeof one === 'object')
      .map(({ url, source, severity = '', title = '' }) => ({
        id: /GHSA-[\w-]+/.exec(url ?? '')?.[0] ?? String(source ?? ''),
        package: name,
        severity,
        title,
      })),
  );
  return { kind: 'answered', advisories: [...new Map(advisories.map((one) => [one.id, one])).values()] };
}

/** Advisories that docs/security.md does not explain, by their id. */
export function unexplained(advisories: readonly Advisory[]): Advisory[] {
  const page = readFileSync(join(repository, 'docs/security.md'), 'utf8');
  return advisories.filter(({ id }) => id === '' || !page.includes(id));
}
