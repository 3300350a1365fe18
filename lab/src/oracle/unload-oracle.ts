import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { bootHost, type BootOptions } from '../host/boot-host.ts';
import type { LabHost } from '../host/lab-host.ts';
import type { Progress } from '../types.ts';
import { BROAD_LIST } from './broad-list.ts';
import { loadedNow, parseAttempts, takeVerdicts, tryUnloads } from './guest.ts';
import { type Judged, judgeUnload, prediction, type VerdictSeen } from './predict.ts';
import { loadAll, makeUses } from './prepare-host.ts';
import type { OracleHost } from './oracle-hosts.ts';

/** Settings of a host that is asked and never acts; the server is nowhere. */
export const ORACLE_CONFIG = 'server: 10.0.2.2:1\nmode: act\n';

/** How often a kmod whose use changed since its verdict is asked again. */
const ROUNDS = 3;

/** Boots one host of a kind, without a server. */
export async function bootForOracle(
  kind: OracleHost,
  name: string,
  progress: Progress,
  options: Pick<BootOptions, 'cmdlineExtra' | 'packages'> = {},
): Promise<LabHost> {
  const { network, rootDisk } = kind;
  const host = await bootHost({
    kind: kind.kind,
    series: kind.series,
    ...(kind.kind === 'full' ? { network, rootDisk } : {}),
    name,
    agentConfig: ORACLE_CONFIG,
    progress,
    // Hundreds of kmods, and one Node.js for the verdicts.
    memMb: 768,
    ...options,
  });
  await host.settled();
  await host.agent('stop');
  return host;
}

/**
 * The unload half: verdicts of everything loaded, then `rmmod` of each past our policy, and each put back.
 * `sample`: every how many-th of the broad list is loaded; what is loaded anyway is always asked.
 *
 * INVARIANT: what carries the host's own root is tried last and on a host of its own, as nothing runs there afterwards.
 */
export async function unloadOracle(
  kind: OracleHost,
  only: readonly string[] | undefined,
  sample: number,
  progress: Progress,
): Promise<Judged[]> {
  const judged: Judged[] = [];
  let deadly: VerdictSeen[];
  const label = kind.label.replaceAll(/[^a-z0-9]+/g, '-');
  {
    await using host = await bootForOracle(kind, `oracle-${label}`, progress);
    const count = await loadAll(host, only ?? BROAD_LIST.filter((_, index) => index % sample === 0));
    await makeUses(host);
    progress(`${kind.label}: ${count} kmods loaded; taking verdicts`);
    const wanted = [...(await loadedNow(host)).keys()].filter((name) => only === undefined || only.includes(name));
    const verdicts = await takeVerdicts(host, 'unload', wanted);
    deadly = verdicts.filter(isDeadly);
    progress(`${kind.label}: ${verdicts.length} verdicts; trying them (${deadly.length} on hosts of their own)`);
    judged.push(
      ...(await judgeOn(
        host,
        verdicts.filter((one) => !isDeadly(one)),
        progress,
      )),
    );
  }
  for (const verdict of deadly) judged.push(await judgeDeadly(kind, label, verdict, progress));
  return judged;
}

/** The kernel would do it, and the host would not live on. */
const isDeadly = (verdict: VerdictSeen): boolean =>
  prediction(verdict) === 'ok' &&
  verdict.findings.some(
    ({ code, message }) =>
      code === 'protected' && /carries .*(?: on |disk)/.test(message) && !/route|connection/.test(message),
  );

/** An attempt counts where the kmod was used as when its verdict was taken; else it is asked again. */
async function judgeOn(host: LabHost, verdicts: readonly VerdictSeen[], progress: Progress): Promise<Judged[]> {
  const judged = new Map<string, Judged>();
  let open = verdicts;
  for (let round = 1; open.length > 0; round += 1) {
    const attempts = await tryUnloads(
      host,
      open.map((one) => one.kmod),
    );
    const found = open.flatMap((verdict) => {
      const attempt = attempts.find((one) => one.kmod === verdict.kmod);
      return attempt === undefined ? [] : [judgeUnload(verdict, attempt)];
    });
    for (const one of found) judged.set(one.kmod, one);
    const again = found.filter((one) => !one.agrees).map((one) => one.kmod);
    if (again.length === 0 || round === ROUNDS) break;
    progress(`${host.name}: asking again about ${again.join(', ')} (their use may have changed since their verdict)`);
    const now = await loadedNow(host);
    open = await takeVerdicts(
      host,
      'unload',
      again.filter((name) => now.has(name)),
    );
  }
  return [...judged.values()];
}

/** From memory, with the answer on the console: no file can be read any more afterwards. */
async function judgeDeadly(kind: OracleHost, label: string, verdict: VerdictSeen, progress: Progress): Promise<Judged> {
  progress(`${kind.label}: a fresh host for ${verdict.kmod}`);
  await using host = await bootForOracle(kind, `oracle-${label}-dies`, progress);
  const [fresh = verdict] = await takeVerdicts(host, 'unload', [verdict.kmod]);
  const before = [...(await loadedNow(host)).keys()];
  await host.must('mkdir -p /run/oracle && cp /usr/lib/modfleet-lab/busybox /run/oracle/busybox');
  const line = `/run/oracle/busybox rmmod ${verdict.kmod}; c=$?; while read -r n r; do l="$l+$n"; done </proc/modules; echo "ORACLE $c $l" >/dev/ttyS0`;
  await host.run(`/run/oracle/busybox sh -c '${line}'`).catch(() => undefined); // the answer's way may die with the disk
  const said = await consoleLine(host, /ORACLE (\d+) (\S*)/);
  const after = new Set((said[2] ?? '').split('+'));
  const gone = before.filter((name) => !after.has(name));
  const [attempt] = parseAttempts(`ATTEMPT|${verdict.kmod}|${said[1] ?? '1'}|${gone.join('+')}||`);
  return judgeUnload(fresh, attempt ?? { kmod: verdict.kmod, exitCode: 1, said: '', gone, came: [] });
}

async function consoleLine(host: LabHost, pattern: RegExp): Promise<RegExpExecArray> {
  for (let tries = 0; tries < 300; tries += 1) {
    const found = pattern.exec(await readFile(host.consoleLog, 'utf8'));
    if (found !== null) return found;
    await delay(100);
  }
  throw new Error(`${host.name}: its console never said ${pattern.source}`);
}
