import { randomUUID } from 'node:crypto';
import { type BootOptions, type HostKind, type KernelSeries, type LabHost, bootHost } from '../../../lab/src/lab.ts';
import { collectedBefore } from './collected-before.ts';
import { TestFleet } from './fleet.ts';
import type { CommandEnd } from './processes.ts';
import { eventually } from './wait.ts';

/** Emulated hosts, several at once on two cores that others may use too. */
const CONNECT_LIMIT_MS = 900_000;

/** Opening every kmod file of a kernel, emulated: a minute and a half alone on the machine. */
export const AVAILABLE_LIMIT_MS = 600_000;

/** A host to boot and join. */
export interface LabHostWanted {
  readonly name: string;
  readonly kind: HostKind;
  readonly series: KernelSeries;
  /** Run on the host before it joins, so that its kmods are no other host's. */
  readonly before?: string;
  /** More lines of agent.yaml. */
  readonly config?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  /** What else the lab can vary: network, root disk, packages, kernel command line, how its clock goes. */
  readonly boot?: Pick<
    BootOptions,
    'network' | 'rootDisk' | 'packages' | 'cmdlineExtra' | 'memMb' | 'countInstructions'
  >;
}

/** What POST /actions is asked for. */
export interface ActionAsked {
  readonly verb: 'load' | 'unload' | 'reload' | 'ensure_loaded' | 'ensure_unloaded' | 'set_parameters';
  readonly kmod: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly reason?: string;
}

/** An action as `modfleet actions show ID --json` and the API give it. */
export interface ActionSeen {
  readonly id: string;
  readonly state: string;
  readonly outcome: string | null;
  readonly resolvedOutcome: string | null;
  readonly message: string | null;
  readonly canReturn: boolean;
  readonly verdict: {
    readonly allowed: boolean;
    readonly decidedBy: string;
    readonly findings: readonly {
      readonly code: string;
      readonly refuses: boolean;
      readonly evidence: readonly { kind: string; value: string }[];
    }[];
    readonly plan: readonly { readonly kind: string; readonly kmod: string }[];
    readonly reloadPaths: readonly { readonly kind: string; readonly value: string }[];
  } | null;
  readonly result: {
    readonly steps: readonly unknown[];
    readonly loadedAfter: boolean | null;
    readonly reloadPaths: readonly unknown[];
    readonly undo: readonly { readonly kind: string; readonly kmod: string; readonly parameters: readonly string[] }[];
    readonly healthBefore: {
      readonly bootId: string;
      readonly links: readonly string[];
      readonly mounts: readonly string[];
    } | null;
  } | null;
  readonly timeline: readonly { readonly at: string; readonly state: string; readonly outcome: string | null }[];
}

/** One line of a host's events, as the API gives it. */
export interface KmodEventSeen {
  readonly kmod: string;
  readonly kind: string;
  readonly actionId: string | null;
  readonly source: string | null;
}

/** A server and real hosts, joined in mode `act`. */
export class LabFleet {
  readonly fleet: TestFleet;
  readonly hosts = new Map<string, LabHost>();

  private constructor(fleet: TestFleet) {
    this.fleet = fleet;
  }

  static async start(wanted: readonly LabHostWanted[], settings: NodeJS.ProcessEnv = {}): Promise<LabFleet> {
    const lab = new LabFleet(await TestFleet.start(settings));
    try {
      // Done long before the first host asks: a boot takes several times as long.
      await Promise.all([lab.#collected(wanted), ...wanted.map((one) => lab.boot(one))]);
      for (const one of wanted) await lab.connected(one.name);
    } catch (error) {
      await lab.stop();
      throw error;
    }
    return lab;
  }

  /**
   * Boots many: one after the other, each connected and `ready` before the next one begins. Six that boot at once on two cores answer nobody for minutes;
   * one that is at rest leaves the cores alone.
   */
  async bootInTurn(wanted: readonly LabHostWanted[], ready: (one: LabHostWanted) => Promise<void>): Promise<void> {
    await this.#collected(wanted);
    for (const one of wanted) {
      await this.boot(one);
      await this.connected(one.name);
      await ready(one);
    }
  }

  async #collected(wanted: readonly LabHostWanted[]): Promise<void> {
    const series = new Set(wanted.filter((one) => one.before === undefined).map((one) => one.series));
    await Promise.all([...series].map((one) => collectedBefore(this.fleet, one)));
  }

  async boot(wanted: LabHostWanted): Promise<void> {
    const lines = [
      `server: 10.0.2.2:${this.fleet.identityPort}`,
      'mode: act',
      'state_dir: /var/lib/modfleet',
      'join_file: /etc/modfleet/join',
    ];
    const host = await bootHost({
      name: wanted.name,
      kind: wanted.kind,
      series: wanted.series,
      agentConfig: `${[...lines, ...(wanted.config ?? [])].join('\n')}\n`,
      ...(wanted.before === undefined ? { joinString: await this.fleet.joinString() } : {}),
      ...(wanted.files === undefined ? {} : { files: wanted.files }),
      ...wanted.boot,
    });
    this.hosts.set(wanted.name, host);
    if (wanted.before === undefined) return;
    await host.must(wanted.before);
    await host.writeFile('/etc/modfleet/join', `${await this.fleet.joinString()}\n`);
  }

  host(name: string): LabHost {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`no lab host ${name}`);
    return host;
  }

  async isConnected(name: string): Promise<boolean> {
    const answer = await this.fleet.api('GET', `/api/v1/hosts/${name}`);
    return answer.status === 200 && answer.body['connected'] === true;
  }

  async connected(name: string): Promise<void> {
    await eventually(
      `${name} is connected`,
      async () => (await this.isConnected(name)) || undefined,
      CONNECT_LIMIT_MS,
    ).catch(async (error: unknown) => {
      const log = await this.host(name)
        .agentLog()
        .catch(() => '(the host does not answer)');
      throw new Error(`${String(error)}\nagent's log on ${name}:\n${log.slice(-3000)}`);
    });
  }

  async disconnected(name: string): Promise<void> {
    await eventually(
      `${name} is not connected`,
      async () => ((await this.isConnected(name)) ? undefined : true),
      CONNECT_LIMIT_MS,
    );
  }

  /** Facet `loaded` (or another) of this host is fresh. */
  async fresh(name: string, facet = 'loaded', limitMs = CONNECT_LIMIT_MS): Promise<void> {
    await eventually(
      `${facet} of ${name} is fresh`,
      async () => {
        const host = (await this.fleet.api('GET', `/api/v1/hosts/${name}`)).body as {
          coverage?: Record<string, string>;
        };
        return host.coverage?.[facet] === 'fresh' || undefined;
      },
      limitMs,
    );
  }

  /** What the fleet says is loaded on a host: names, through the command line. */
  async loadedKmods(name: string): Promise<string[]> {
    const items: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page = (await this.fleet.api('GET', `/api/v1/hosts/${name}/kmods?presence=loaded&limit=1000${after}`))
        .body as {
        items: { name: string }[];
        nextCursor: string | null;
      };
      items.push(...page.items.map((item) => item.name));
      cursor = page.nextCursor;
    }
    return items.sort();
  }

  /** What the server was told of a kmod's coming and going on a host, newest first. */
  async eventsOf(name: string, kmod: string): Promise<KmodEventSeen[]> {
    const listed = (await this.fleet.api('GET', `/api/v1/hosts/${name}/events?kmod=${kmod}&limit=1000`)).body as {
      items: KmodEventSeen[];
    };
    return [...listed.items];
  }

  /** Runs `modfleet kmods VERB KMOD --host HOST --watch …` to its end and gives the action. */
  async act(
    verb: 'load' | 'unload' | 'reload',
    kmod: string,
    host: string,
    ...more: string[]
  ): Promise<{ end: CommandEnd; action: ActionSeen }> {
    const fields = 'id,state,outcome,resolvedOutcome,message,canReturn,verdict,result,timeline';
    const end = await this.fleet.modfleet('kmods', verb, kmod, '--host', host, '--watch', '--json', fields, ...more);
    if (end.stdout.trim() === '') throw new Error(`modfleet kmods ${verb} ${kmod}: status ${end.code}, ${end.stderr}`);
    return { end, action: JSON.parse(end.stdout) as ActionSeen };
  }

  async action(id: string): Promise<ActionSeen> {
    return (await this.fleet.api('GET', `/api/v1/actions/${id}`)).body as unknown as ActionSeen;
  }

  async ended(id: string): Promise<ActionSeen> {
    return eventually(
      `action ${id} ended`,
      async () => {
        const action = await this.action(id);
        return action.state === 'ended' ? action : undefined;
      },
      CONNECT_LIMIT_MS,
    );
  }

  /** Asks for several actions at once, as automation does, and gives them ended: the host does one after the other, in this order. */
  async actInTurn(host: string, asked: readonly ActionAsked[]): Promise<ActionSeen[]> {
    const ids: string[] = [];
    for (const { verb, kmod, ...more } of asked)
      ids.push(await this.post(host, verb, kmod, { expiresIn: 600, ...more }));
    const ended: ActionSeen[] = [];
    for (const id of ids) ended.push(await this.ended(id));
    return ended;
  }

  /** Asks for an action as automation does: a server that says 503 is asked again with the same idempotency key. */
  async post(host: string, verb: string, kmod: string, more: Record<string, unknown> = {}): Promise<string> {
    const key = { 'idempotency-key': randomUUID() };
    const answer = await eventually('the server takes the action', async () => {
      const said = await this.fleet.api('POST', '/api/v1/actions', { host, verb, kmod, ...more }, key);
      return said.status === 503 ? undefined : said;
    });
    if (answer.status !== 202) throw new Error(`POST /actions: ${answer.status} ${JSON.stringify(answer.body)}`);
    return String(answer.body['id']);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.hosts.values()].map((host) => host.kill()));
    await this.fleet.stop();
  }
}

/** Names in /proc/modules on the host itself, sorted. */
export async function lsmod(host: LabHost): Promise<string[]> {
  return (await host.read('/proc/modules'))
    .split('\n')
    .map((line) => line.split(' ', 1)[0] ?? '')
    .filter((name) => name !== '')
    .sort();
}
