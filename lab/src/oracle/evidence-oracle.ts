import type { LabHost } from '../host/lab-host.ts';
import { putFile } from '../host/put-file.ts';
import type { Progress } from '../types.ts';
import { EVIDENCE_ROWS, type EvidenceRow } from './evidence-rows.ts';
import { loadedNow, takeVerdicts, tryUnloads } from './guest.ts';
import { type Judged, judgeUnload, prediction, type VerdictSeen } from './predict.ts';
import type { OracleHost } from './oracle-hosts.ts';
import { installHold } from './prepare-host.ts';
import { bootForOracle } from './unload-oracle.ts';

/** A row, and whether the agent said what it must. */
export interface RowJudged {
  readonly row: EvidenceRow;
  /** Undefined: as it must be. */
  readonly wrong: string | undefined;
}

/** Makes all uses that the host has the programs for, and holds the verdicts against the rows. */
export async function evidenceOf(host: LabHost): Promise<{ rows: RowJudged[]; verdicts: VerdictSeen[] }> {
  await installHold(host);
  const rows: EvidenceRow[] = [];
  for (const row of EVIDENCE_ROWS) if (await hasPrograms(host, row)) rows.push(row);
  const lines = rows.map((row) => `( ${row.make} ) || echo "failed: ${row.kmod}: ${row.use}" >&2`);
  await putFile(host, '/run/evidence/make.sh', Buffer.from(['cd /run/evidence', ...lines, 'sleep 1', ''].join('\n')));
  const made = await host.run(
    'sh /run/evidence/make.sh </dev/null 2>/run/evidence/log >/dev/null; cat /run/evidence/log',
    {
      timeoutMs: 300_000,
    },
  );
  const loaded = await loadedNow(host);
  const wanted = [...new Set(rows.map((row) => row.kmod))].filter((kmod) => loaded.has(kmod));
  const verdicts = await takeVerdicts(host, 'unload', wanted);
  const judged = rows.map((row) => ({
    row,
    wrong:
      judgeRow(
        row,
        verdicts.find((one) => one.kmod === row.kmod),
      ) ?? failedToMake(row, made.stdout),
  }));
  return { rows: judged, verdicts };
}

/** A row that could not be made proves nothing. */
const failedToMake = (row: EvidenceRow, log: string): string | undefined =>
  log.includes(`failed: ${row.kmod}: ${row.use}`) ? `could not be made: ${log.slice(0, 300)}` : undefined;

/** Why a verdict is not what its row asks for. Pure. */
export function judgeRow(row: EvidenceRow, verdict: VerdictSeen | undefined): string | undefined {
  if (verdict === undefined) return `${row.kmod} is not loaded`;
  const codes = verdict.findings.filter(({ refuses }) => refuses).map(({ code }) => code);
  if (!codes.includes(row.code)) return `${row.code} expected, ${codes.join(', ') || 'nothing'} found`;
  const shown = verdict.findings.flatMap(({ evidence }) => evidence);
  return shown.some((one) => row.evidence.test(one))
    ? undefined
    : `no evidence like ${row.evidence.source}: ${shown.join('; ')}`;
}

/**
 * Then the kernel is asked, as in the unload half, and has to say what the verdicts say. What it refuses comes first: each that goes takes interfaces
 * with it that others are used by.
 */
export async function tryRows(host: LabHost, verdicts: readonly VerdictSeen[]): Promise<Judged[]> {
  const untried = new Set(EVIDENCE_ROWS.filter((row) => row.untried).map((row) => row.kmod));
  const tried = verdicts
    .filter(({ kmod }) => !untried.has(kmod))
    .toSorted((a, b) => Number(prediction(a) === 'ok') - Number(prediction(b) === 'ok'));
  const attempts = await tryUnloads(
    host,
    tried.map(({ kmod }) => kmod),
  );
  return tried.flatMap((verdict) => {
    const attempt = attempts.find((one) => one.kmod === verdict.kmod);
    return attempt === undefined ? [] : [judgeUnload(verdict, attempt)];
  });
}

/** Both on one full host that has nft: each row as a line of the table, then what the kernel said. */
export async function evidenceOracle(kind: OracleHost, progress: Progress): Promise<Judged[]> {
  const name = `evidence-${kind.series.replace('.', '-')}`;
  await using host = await bootForOracle(kind, name, progress, { packages: ['nftables'] });
  progress(`${kind.label}: making ${EVIDENCE_ROWS.length} uses`);
  const { rows, verdicts } = await evidenceOf(host);
  const judged = rows.map(({ row, wrong }) => ({
    kmod: `${row.kmod}, ${row.use}`,
    predicted: `${row.code}, with evidence`,
    seen: wrong ?? 'as it must be',
    agrees: wrong === undefined,
  }));
  return [...judged, ...(await tryRows(host, verdicts))];
}

async function hasPrograms(host: LabHost, { needs }: EvidenceRow): Promise<boolean> {
  if (needs === undefined) return true;
  const there = (await host.run(`command -v ${needs.replace('!', '')}`)).code === 0;
  return needs.startsWith('!') ? !there : there;
}
