import type { LabHost } from '../../../lab/src/lab.ts';
import { LabFleet, lsmod } from './lab-fleet.ts';
import type { LossyProxy } from './lossy-proxy.ts';
import { eventually } from './wait.ts';

/** What happens inside the window, after the network driver under the agent's own connection is gone. */
export const CONFIRM_CASES = ['cut', 'agent_killed', 'host_reboots', 'server_dies', 'answer_lost'] as const;
export type ConfirmCase = (typeof CONFIRM_CASES)[number];

/** Cases that one host has alone: others go on. The rest happens to the server, so to all hosts. */
export const LONE_CASES: readonly ConfirmCase[] = ['cut', 'agent_killed', 'host_reboots'];
export const COMMON_CASES = CONFIRM_CASES.filter((kind) => !LONE_CASES.includes(kind));

/** The cause that each case must be reported with. */
const CAUSES: Readonly<Record<ConfirmCase, string>> = {
  cut: 'no_server',
  agent_killed: 'agent_died',
  host_reboots: 'rebooted',
  server_dies: 'no_server',
  answer_lost: 'no_server',
};

/** Past everything that may still be called slow. */
const LIMIT_MS = 400_000;

/** Between two looks at a host that has a minute to get by: how late a way back may be seen. */
const LOOK_EVERY_MS = 500;

/** The driver of every lab host's card. */
export const KMOD = 'virtio_net';

/** How one round went on one host. */
export interface ConfirmRound {
  readonly host: string;
  readonly case: ConfirmCase;
  readonly outcome: string | null;
  readonly cause: string;
  readonly windowSeconds: number;
  /** From the moment the window was armed until the host was connected again with its driver loaded, ms. */
  readonly backMs: number;
  /** Back, but not within the window and what is allowed beside it: a loaded machine does that to an emulated host. */
  readonly late: boolean;
  /** What is not as it must be, late or not. */
  readonly problems: readonly string[];
}

/** An action with its window, as the API gives it. */
interface WindowAction {
  readonly state: string;
  readonly outcome: string | null;
  readonly confirm: { readonly deadline: string | null; readonly offeredAt: string | null } | null;
  readonly result: {
    readonly confirm?: { readonly cause: string; readonly missing: readonly string[]; readonly end: string } | null;
  } | null;
}

export interface RoundWorld {
  readonly lab: LabFleet;
  /** Before the session listener; needed for `answer_lost`. */
  readonly proxy?: Pick<LossyProxy, 'loseAnswers'>;
  readonly windowSeconds: number;
  /** What a host must be back within, beside its window, ms. */
  readonly backWithinMs: number;
}

/** One case on several hosts at once; for the common cases they must be all that the server has. */
export async function confirmRound(
  world: RoundWorld,
  kind: ConfirmCase,
  hosts: readonly string[],
): Promise<ConfirmRound[]> {
  const { lab, proxy } = world;
  await Promise.all(hosts.map((name) => lab.fresh(name)));
  await Promise.all(hosts.map((name) => lab.host(name).settled()));
  // What a reboot takes along is not put back, so nothing is set by hand before one.
  const before = await Promise.all(hosts.map((name) => prepared(lab.host(name), kind !== 'host_reboots')));
  // The driver comes back by itself where only server or answer are to be missing.
  const verb = kind === 'server_dies' || kind === 'answer_lost' ? 'reload' : 'unload';
  if (kind === 'answer_lost') proxy?.loseAnswers(true);
  // A host that reboots on a loaded machine may report late; what it reports is the question.
  const body = { confirmWindow: world.windowSeconds, overrides: ['route'], expiresIn: 600 };
  const ids = await Promise.all(hosts.map((name) => lab.post(name, verb, KMOD, body)));
  const isLone = LONE_CASES.includes(kind);
  const armedAt = await Promise.all(
    ids.map((id, index) => (isLone ? cutOff(lab, lab.host(hosts[index] ?? ''), id) : armed(lab, id))),
  );
  await fault(world, kind, hosts, ids).finally(() => proxy?.loseAnswers(false));
  return Promise.all(
    hosts.map(async (name, index) => {
      const backMs = await back(lab, name, armedAt[index] ?? 0);
      return judged(world, kind, name, ids[index] ?? '', backMs, before[index] ?? '');
    }),
  );
}

/** Waits until the window of an action is armed; when that was seen, ms since the epoch. */
export async function armed(lab: LabFleet, id: string): Promise<number> {
  await eventually(
    `the window of ${id} is armed`,
    async () => {
      const action = await actionOf(lab, id);
      if (action.state === 'ended') throw new Error(`${id} ended as ${action.outcome}: ${JSON.stringify(action)}`);
      return action.confirm?.deadline ?? undefined;
    },
    LIMIT_MS,
  );
  return Date.now();
}

/**
 * Waits until a host has cut itself off; when its window was armed, as far as that was seen. The word of it may still lie on the host when the card
 * goes, and reach the server only after the revert.
 */
async function cutOff(lab: LabFleet, host: LabHost, id: string): Promise<number> {
  let armedAt = Infinity;
  void armed(lab, id).then(
    (at) => (armedAt = at),
    () => undefined,
  );
  await gone(host);
  return Math.min(armedAt, Date.now());
}

async function fault(
  { lab, windowSeconds }: RoundWorld,
  kind: ConfirmCase,
  hosts: readonly string[],
  ids: readonly string[],
): Promise<void> {
  const each = (work: (host: LabHost) => Promise<unknown>) => Promise.all(hosts.map((name) => work(lab.host(name))));
  switch (kind) {
    case 'cut':
      return;
    case 'agent_killed':
      await each(async (host) => host.must(`kill -9 ${await host.agentPid()}`));
      return;
    case 'host_reboots':
      await each((host) => host.reboot({ hard: true }));
      return;
    case 'server_dies':
      await lab.fleet.stopServer('SIGKILL');
      // Away until every window is over: the hosts decide alone.
      await new Promise((resolve) => setTimeout(resolve, windowSeconds * 1000 + 5_000));
      await lab.fleet.startServer();
      return;
    case 'answer_lost':
      await Promise.all(ids.map((id) => offered(lab, id)));
      await each((host) =>
        eventually(`${host.name} reverts`, async () => (await isReverting(host)) || undefined, LIMIT_MS),
      );
      return;
  }
}

/** An action that ends before it was offered the confirm is judged as it is: its host was too slow to ask. */
async function offered(lab: LabFleet, id: string): Promise<void> {
  await eventually(
    `the server says yes to ${id}`,
    async () => {
      const { confirm, state } = await actionOf(lab, id);
      return confirm?.offeredAt ?? (state === 'ended' || undefined);
    },
    LIMIT_MS,
  );
}

async function gone(host: LabHost): Promise<void> {
  await eventually(
    `${KMOD} is gone from ${host.name}`,
    async () => !(await lsmod(host)).includes(KMOD) || undefined,
    LIMIT_MS,
    LOOK_EVERY_MS,
  );
}

async function isReverting(host: LabHost): Promise<boolean> {
  const files = '/var/lib/modfleet-helper/confirm';
  return (
    (await host.run(`[ -e ${files}/reverting.json ] || [ -e ${files}/reverted.json ] || [ -z "$(ls ${files})" ]`))
      .code === 0
  );
}

/** Connected, over a session that is newer than the cut, with the driver there. */
async function back(lab: LabFleet, name: string, armedAt: number): Promise<number> {
  await eventually(
    `${name} is back`,
    async () => {
      const present = (await lsmod(lab.host(name))).includes(KMOD);
      return (present && (await lab.isConnected(name))) || undefined;
    },
    LIMIT_MS,
    LOOK_EVERY_MS,
  );
  return Date.now() - armedAt;
}

async function judged(
  { lab, windowSeconds, backWithinMs }: RoundWorld,
  kind: ConfirmCase,
  name: string,
  id: string,
  backMs: number,
  before: string,
): Promise<ConfirmRound> {
  const action = await eventually(
    `${id} is reported`,
    async () => {
      const seen = await actionOf(lab, id);
      return seen.state === 'ended' ? seen : undefined;
    },
    LIMIT_MS,
  );
  const problems: string[] = [];
  const report = action.result?.confirm;
  const cause = report?.cause ?? '';
  if (action.outcome !== 'reverted') problems.push(`outcome ${action.outcome}`);
  if (cause !== CAUSES[kind]) problems.push(`cause ${cause}, not ${CAUSES[kind]}`);
  if (report?.missing.length !== 0) problems.push(`missing: ${report?.missing.join('; ')}`);
  if ((kind === 'answer_lost') !== (typeof action.confirm?.offeredAt === 'string'))
    problems.push(`the row says offered at ${action.confirm?.offeredAt}`);
  const host = lab.host(name);
  const after = await host.must(NETWORK);
  if (after !== before) problems.push(`the network was ${before} and is ${after}`);
  await lab.fresh(name);
  const [told, real] = [await lab.loadedKmods(name), await lsmod(host)];
  if (told.join() !== real.join()) problems.push(`the inventory has ${told.join()}, the host ${real.join()}`);
  const late = backMs > windowSeconds * 1000 + backWithinMs;
  return { host: name, case: kind, outcome: action.outcome, cause, windowSeconds, backMs, late, problems };
}

/** Addresses, routes, and a setting of every interface; without lifetimes, which go on. */
const NETWORK =
  "ip -o -4 addr show | awk '{print $2, $4}' | sort; ip -4 route show | sed 's/ *$//' | sort; grep . /proc/sys/net/ipv4/conf/*/rp_filter | sort";

/** Sets by hand what no file describes, or takes it away, and gives the network as it is. */
async function prepared(host: LabHost, byHand: boolean): Promise<string> {
  const card = "card=$(ip route show default | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p' | head -1)";
  const setting = '/proc/sys/net/ipv4/conf/$card/rp_filter';
  const set = byHand
    ? `ip addr replace 192.0.2.7/24 dev $card && ip route replace 198.51.100.0/24 via 192.0.2.1 && echo 2 >${setting} || exit 1`
    : `ip route del 198.51.100.0/24; ip addr del 192.0.2.7/24 dev $card; cat /proc/sys/net/ipv4/conf/default/rp_filter >${setting}`;
  return host.must(`${card}; { ${set}; } >/dev/null 2>&1; ${NETWORK}`);
}

async function actionOf(lab: LabFleet, id: string): Promise<WindowAction> {
  return (await lab.fleet.api('GET', `/api/v1/actions/${id}`)).body as unknown as WindowAction;
}
