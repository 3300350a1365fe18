import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { keepFigures, measuredWhere, resultFile } from '../scripts/lib/measured.ts';
import { withProgress } from '../scripts/lib/progress.mjs';
import { eventually } from '../tests/e2e/support/wait.ts';
import { figureTable } from './figures.ts';
import { MeasuredFleet } from './fleet/measured-fleet.ts';
import { type PeerRun, peerFigures, unmeasuredFigure } from './peers/peer-figures.ts';
import { SshHosts } from './peers/ssh-hosts.ts';
import { timedRun } from './peers/timed-run.ts';
import { type BothWays, missing, type Tool, TOOLS } from './peers/tools.ts';
import { whole } from './whole.ts';

const RESULT = 'peers';
const SEED = 5;
/** Every simulated host has it. Over ssh all ask this machine's kernel, whose answer is the same 200 times: what is compared is time. */
const KMOD = 'nf_tables';
const JOIN_SECONDS = 300;
const SLOW_RUNS = 3;
const ASKED = { ssh: "the hosts' sshd", modfleet: 'our server' } as const;

/**
 * `npm run bench -- peers`: "who has kmod X loaded" on the same hosts, as modfleet answers it and as one asks it over ssh. The tools take turns, so that what
 * else this machine does meets all of them. Status 1 when one was not measured, or a host did not answer it.
 */
export async function benchPeers(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { hosts: { type: 'string', default: '200' }, runs: { type: 'string', default: '10' } },
  });
  const hosts = whole('--hosts', values.hosts);
  const runs = whole('--runs', values.runs);
  const where = await measuredWhere();
  const measured = await onBothWays(hosts, (ways) => takeTurns(ways, runs));
  const all = TOOLS.flatMap((tool) => {
    const why = missing(tool);
    if (why !== undefined) return [unmeasuredFigure(tool.name, hosts, runs, why)];
    return peerFigures(tool.name, hosts, measured.get(tool) ?? [], ASKED[tool.way]);
  });
  keepFigures(RESULT, `${hosts} hosts`, where, all);
  console.log(`\n${where.machine}; load ${where.loadAverage}; commit ${where.commit}\n\n${figureTable(all)}\n`);
  console.log(resultFile(RESULT));
  return all.some(({ holds }) => holds === false) ? 1 : 0;
}

/** Gives `measure` as many hosts twice: simulated ones that have joined a server, and addresses that sshd answers on. */
async function onBothWays<T>(hosts: number, measure: (ways: BothWays) => Promise<T>): Promise<T> {
  const ssh = await SshHosts.start(hosts);
  try {
    const fleet = await withProgress(`${hosts} simulated hosts come up`, () =>
      MeasuredFleet.start(hosts, availableParallelism(), SEED),
    );
    try {
      fleet.swarm.join();
      await withProgress('they join', () => fleet.allLive(JOIN_SECONDS));
      await eventually('every host has said what it has loaded', async () => {
        const { stderr } = await fleet.server.fleet.modfleet('kmods', 'hosts', KMOD);
        return stderr.includes(`${hosts} of ${hosts} hosts`) || undefined;
      });
      return await measure({ ssh, server: fleet.server, kmod: KMOD });
    } finally {
      await fleet.stop();
    }
  } finally {
    await ssh.stop();
  }
}

async function takeTurns(ways: BothWays, runs: number): Promise<Map<Tool, PeerRun[]>> {
  const measured = new Map<Tool, PeerRun[]>(TOOLS.map((tool) => [tool, []]));
  for (let round = 0; round < runs; round += 1)
    await withProgress(`round ${round + 1} of ${runs}`, async () => {
      for (const [tool, all] of measured)
        if (missing(tool) === undefined && !(tool.isSlow === true && round >= SLOW_RUNS))
          all.push(await ask(tool, ways));
    });
  return measured;
}

async function ask(tool: Tool, ways: BothWays): Promise<PeerRun> {
  const { ssh, server } = ways;
  if (tool.kept === 'closed before') await ssh.closeKept();
  const command = tool.command(ways);
  const sshBefore = ssh.cpuMs();
  const { result, cpuMs } = await server.watched(() => timedRun(command));
  const answers = tool.answers(result.stdout);
  if (answers !== ssh.addresses.length)
    console.log(`${tool.name}: ${answers} answers; ${result.stderr.trim().split('\n').slice(0, 3).join('; ')}`);
  // Connections that are kept are not over: what they cost is not known yet.
  const sshCpuMs = tool.kept === undefined ? ssh.cpuMs() - sshBefore : undefined;
  return {
    answers,
    wallMs: result.wallMs,
    cpuMs: result.cpuMs,
    askedCpuMs: tool.way === 'ssh' ? sshCpuMs : cpuMs,
  };
}
