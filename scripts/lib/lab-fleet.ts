import { type HostKind, type KernelSeries, KERNEL_SERIES, bootHost, checkPrerequisites } from '../../lab/src/lab.ts';
import { type Api, until } from './api.ts';
import { ScriptError } from './program.ts';
import { withProgress } from './progress.mjs';
import { retireFormer } from './retire-former.ts';

const KIND: HostKind = 'fast';
/** Emulated, on a machine that boots several at once. */
const CONNECTED_MS = 180_000;

/** Address of this machine's loopback on QEMU's user network. */
const HOST_LOOPBACK = '10.0.2.2';

function labName(number: number): string {
  return `lab-${number}`;
}

async function bootOne(
  number: number,
  series: KernelSeries,
  identityPort: string,
  api: Api,
  onStarted: (name: string, stop: () => Promise<void>) => void,
): Promise<void> {
  const name = labName(number);
  const token = (await api.post('/api/v1/join-tokens', { name, labels: { lab: 'true', series } })) as {
    joinString: string;
  };
  const agentConfig = [
    `server: ${HOST_LOOPBACK}:${identityPort}`,
    'mode: act',
    'state_dir: /var/lib/modfleet',
    'join_file: /etc/modfleet/join',
    '',
  ].join('\n');
  const host = await bootHost({ kind: KIND, series, name, agentConfig, joinString: token.joinString });
  onStarted(name, () => host.kill());
  await until(`${name} is connected`, CONNECTED_MS, async () => {
    const listed = (await api.get('/api/v1/hosts?limit=1000')) as { items: { name: string; connected: boolean }[] };
    return listed.items.some((one) => one.name === name && one.connected) || undefined;
  });
}

/** @throws ScriptError when the machine lacks what the lab needs, with the way to install it. */
export async function requireLab(): Promise<void> {
  const found = await checkPrerequisites([KIND]);
  if (!found.ok) throw new ScriptError(found.hint);
}

/** Boots `settings.lab` real hosts in QEMU, of both kernel series in turn, that join this server in mode `act`. */
export async function bootLabHosts(
  settings: { readonly lab: number; readonly identity: string },
  api: Api,
  onStarted: (name: string, stop: () => Promise<void>) => void,
): Promise<void> {
  await retireFormer(api, 'lab=true', 'npm start boots new lab hosts');
  const identityPort = settings.identity.slice(settings.identity.lastIndexOf(':') + 1);
  const numbers = Array.from({ length: settings.lab }, (_, index) => index + 1);
  await withProgress(`booting ${settings.lab} lab hosts (the first time their images are built: some minutes)`, () =>
    Promise.all(
      numbers.map((number) =>
        bootOne(number, KERNEL_SERIES[(number - 1) % KERNEL_SERIES.length] ?? '6.1', identityPort, api, onStarted),
      ),
    ),
  );
}
