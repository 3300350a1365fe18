import { setTimeout as delay } from 'node:timers/promises';
import { median } from '../../scripts/lib/measured.ts';
import { collectedBefore } from '../../tests/e2e/support/collected-before.ts';
import { AVAILABLE_LIMIT_MS, LabFleet } from '../../tests/e2e/support/lab-fleet.ts';
import { eventually } from '../../tests/e2e/support/wait.ts';
import { type Figure, figure, figureTable } from '../figures.ts';
import { captureTree } from './captured-tree.ts';
import { countIdle } from './count-idle.ts';
import { type IdleOptions, OTHERS, OURS, REACH, idleFigures } from './reach.ts';
import { replay, replayFigure } from './replay.ts';
import { ServiceOnHost, uptimeMs } from './service-on-host.ts';
import { between, total } from './weight.ts';

const NAME = 'bench-agent';
const COUNTED = 'bench-counted';
const SERIES = '6.12';
const STARTS = 5;
/** The garbage of the start is collected, and the others' starts are over. */
const SETTLE_MS = 60_000;

/** Our agent and two others on one emulated Debian with systemd, kernel 6.12; and on a second one that counts instructions. */
export async function measureOnLabHost({ idleMs }: IdleOptions): Promise<Figure[]> {
  const figures: Figure[] = [];
  const take = (measured: readonly Figure[]): void => {
    show(figureTable(measured));
    figures.push(...measured);
  };
  try {
    const { tree, instructions } = await measureHosts(idleMs, take);
    show('the same tree on this machine itself');
    take([replayFigure(await replay(tree, idleMs), instructions, idleMs)]);
  } catch (error) {
    // What was measured until then is half an hour's work.
    const why = error instanceof Error ? error.message : String(error);
    figures.push(figure('agent: parts that could not be measured', 1, 'or more', 0, why));
  }
  return figures;
}

/** All that needs the hosts; gives what our agent reads there, and its instructions a second. */
async function measureHosts(
  idleMs: number,
  take: (measured: readonly Figure[]) => void,
): Promise<{ tree: Buffer; instructions: number }> {
  const lab = await LabFleet.start([]);
  try {
    await collectedBefore(lab.fleet, SERIES);
    await Promise.all([settledHost(lab, NAME, false), settledHost(lab, COUNTED, true)]);
    show('our agent is settled');
    const ours = new ServiceOnHost(lab.host(NAME), OURS);
    const tree = await captureTree(lab.host(NAME));
    await delay(SETTLE_MS);
    const [idle, counted] = await Promise.all([
      measureIdle(lab, ours, { idleMs }),
      countIdle(lab.host(COUNTED), idleMs),
    ]);
    take([...idle, ...counted.figures]);
    await lab.host(COUNTED).kill();
    for (const measure of [measureReconnects, measureStarts, measureAvailable]) take(await measure(lab, ours));
    return { tree, instructions: counted.ours };
  } finally {
    await lab.stop();
  }
}

async function settledHost(lab: LabFleet, name: string, countInstructions: boolean): Promise<void> {
  const boot = { packages: Object.keys(OTHERS), memMb: 1024, countInstructions };
  await lab.boot({ name, kind: 'full', series: SERIES, boot });
  await lab.connected(name);
  const host = lab.host(name);
  await host.settled();
  for (const unit of Object.values(OTHERS)) await host.must(`systemctl start ${unit}`);
  await lab.fresh(name, 'available', AVAILABLE_LIMIT_MS);
}

/** It takes half an hour on a busy machine: what is known is shown at once. */
function show(text: string): void {
  console.log(`\n${text}`);
}

/** At rest, what each agent of the same host weighs, and what ours sends and receives. */
async function measureIdle(lab: LabFleet, ours: ServiceOnHost, { idleMs }: IdleOptions): Promise<Figure[]> {
  const host = lab.host(NAME);
  const [beganMs, wireBefore] = [await uptimeMs(host), await ours.wire()];
  await delay(idleMs);
  const [endedMs, wireAfter] = [await uptimeMs(host), await ours.wire()];
  const spanMs = endedMs - beganMs;
  const figures: Figure[] = [];
  for (const service of [ours, ...Object.values(OTHERS).map((unit) => new ServiceOnHost(host, unit))]) {
    const isOurs = service === ours;
    const weight = await service.weight();
    const wire = isOurs ? between(wireBefore, wireAfter) : undefined;
    const note = await service.processes();
    const name = isOurs ? 'agent' : service.unit.replace('.service', '');
    figures.push(...idleFigures(name, { weight, wire, spanMs, isOurs, note }));
  }
  return figures;
}

/** The index of depmod changes: one collection of `available`, which the server lacks, by a child process. */
async function measureAvailable(lab: LabFleet, ours: ServiceOnHost): Promise<Figure[]> {
  const host = lab.host(NAME);
  const uploads = async (): Promise<number> => {
    const metrics = await (
      await fetch(`${lab.fleet.http}/metrics`, { headers: { authorization: `Bearer ${lab.fleet.token}` } })
    ).text();
    return Number(/^modfleet_ingest_uploads_total\{[^}]*available[^}]*\} (\d+)/m.exec(metrics)?.[1] ?? 0);
  };
  const before = { uploads: await uploads(), wire: await ours.wire() };
  await ours.startSampling();
  await host.must(`echo '# measured' >> /lib/modules/$(uname -r)/modules.softdep`);
  await eventually(
    'available is stored once more',
    async () => (await uploads()) > before.uploads || undefined,
    AVAILABLE_LIMIT_MS,
  );
  const bytes = total(between(before.wire, await ours.wire()));
  const peak = await ours.stopSampling();
  const note = 'an idle minute or two beside it';
  return [
    figure('agent: available of one build', bytes / 1000, 'KB', REACH.availableKb, note),
    figure(
      'agent: resident while collecting available: most',
      peak.rss,
      'MiB',
      null,
      'all its processes, 5 looks a second',
    ),
    figure('agent: of which anonymous', peak.anonymous, 'MiB', null, ''),
  ];
}

/** The server holds everything; then it lacks three facets, because they changed while the agent was away. */
async function measureReconnects(lab: LabFleet, ours: ServiceOnHost): Promise<Figure[]> {
  const host = lab.host(NAME);
  const reconnected = async (change: string): Promise<number> => {
    await host.agent('stop');
    await lab.disconnected(NAME);
    await host.must(change);
    await host.agent('start');
    await lab.connected(NAME);
    for (const facet of ['loaded', 'parameters', 'devices', 'config']) await lab.fresh(NAME, facet);
    return total(await ours.wire());
  };
  const same = await reconnected('true');
  // A kmod, a line of modprobe.d, and a disk with its bus: three facets that no host of this server ever had.
  const changed = await reconnected(
    'modprobe mf_hello; modprobe scsi_debug; echo "blacklist mf_base" > /etc/modprobe.d/bench.conf',
  );
  return [
    figure('agent: reconnect, nothing new', same / 1000, 'KB', null, 'TLS handshake of both sides included'),
    figure(
      'agent: reconnect, loaded, devices, config resent',
      changed / 1000,
      'KB',
      REACH.reconnectKb,
      'and parameters',
    ),
  ];
}

/** From `systemctl start` to the host's fresh kmods in the API's answer. */
async function measureStarts(lab: LabFleet): Promise<Figure[]> {
  const host = lab.host(NAME);
  const times: number[] = [];
  for (let start = 0; start < STARTS; start++) {
    await host.agent('stop');
    await lab.disconnected(NAME);
    const began = performance.now();
    await host.agent('start');
    await lab.fresh(NAME, 'loaded');
    await lab.loadedKmods(NAME);
    times.push((performance.now() - began) / 1000);
  }
  const note = `median of ${STARTS}, longest ${Math.max(...times).toFixed(1)}`;
  // Natively it has a reach.
  return [figure('agent: start to listed, emulated', median(times), 's', null, note)];
}
