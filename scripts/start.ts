import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Api, connectApi, until } from './lib/api.ts';
import { startEmbeddedPostgres } from './lib/embedded-postgres.mjs';
import { bootLabHosts, requireLab } from './lib/lab-fleet.ts';
import { build } from './lib/make.ts';
import { repository, stateFolder } from './lib/paths.ts';
import { ScriptError, runMain } from './lib/program.ts';
import { withProgress } from './lib/progress.mjs';
import { takeRunLock } from './lib/run-lock.ts';
import { prepareForServer } from './lib/server-role.ts';
import { type Service, startService } from './lib/service.ts';
import { startSwarm } from './lib/swarm-fleet.ts';
import { START_HELP, type StartSettings, requireFreePort, startSettings } from './lib/start-settings.ts';

const SERVER_READY_MS = 60_000;
const HOST_CONNECTED_MS = 30_000;

/** Settings of the server that runs here, for commands beside it. */
const serverSettingsFile = join(stateFolder, 'server.env');

/** How long a stop waits for a step of the start that is under way. */
const STEP_END_MS = 3_000;

/** Stops what was started, newest first; each at most once. After the first stop nothing more is started. */
class Started {
  readonly #stops: { name: string; stop: () => Promise<void> }[] = [];
  readonly #stopping = Promise.withResolvers<string>();
  #isStopping = false;

  /** Settles when stopping begins: ends the waits of a start under way. */
  get stopping(): Promise<string> {
    return this.#stopping.promise;
  }

  /** @throws ScriptError when stopping has begun; what came too late is stopped by the next stopAll. */
  add(name: string, stop: () => Promise<void>): void {
    this.#stops.push({ name, stop });
    this.check();
  }

  check(): void {
    if (this.#isStopping) throw new ScriptError('stopped before everything had started');
  }

  async stopAll(): Promise<void> {
    this.#isStopping = true;
    this.#stopping.resolve('stopped before everything had started');
    for (let next = this.#stops.pop(); next !== undefined; next = this.#stops.pop()) {
      await next.stop().catch((error: unknown) => console.error(`stopping ${next?.name}: ${String(error)}`));
    }
  }
}

type RunLock = Awaited<ReturnType<typeof takeRunLock>>;

async function startDatabase(started: Started, lock: RunLock): Promise<{ url: string; ended: Promise<string> }> {
  const given = process.env['DATABASE_URL'];
  if (given !== undefined && given !== '') return { url: given, ended: new Promise(() => {}) };
  const folder = join(stateFolder, 'postgres');
  const first = !existsSync(join(folder, 'data', 'PG_VERSION'));
  const postgres = await withProgress(first ? 'making the database (once)' : 'starting PostgreSQL', () =>
    startEmbeddedPostgres(folder),
  );
  started.add('PostgreSQL', () => postgres.stop());
  lock.add('postgres', postgres.pid, 'bin/postgres');
  const url = await withProgress('preparing the database', () => prepareForServer(postgres, folder));
  return { url, ended: postgres.exited.then(() => 'PostgreSQL ended by itself') };
}

/** Of `modfleet` and of the tests: no settings of the server, and a token belongs in no other file. */
const OTHERS = /^MODFLEET_(URL|TOKEN|TOKEN_FILE|CA_FILE|INSECURE_HTTP|TEST_.*)$/;

/** What of the environment the server takes as its settings. */
function modfleetSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  const all = Object.entries(env).filter(([name]) => /^(MODFLEET|DATABASE)_/.test(name) && !OTHERS.test(name));
  return Object.fromEntries(all.filter((entry): entry is [string, string] => Boolean(entry[1])));
}

/** For `npx modfleet-server --settings .modfleet/server.env COMMAND`. Holds the database's password: its owner's alone, at no moment others'. */
function writeServerSettings(values: Readonly<Record<string, string>>): void {
  const draft = `${serverSettingsFile}.${process.pid}`;
  const lines = Object.entries(values).map(([name, value]) => `${name}=${quoted(value)}\n`);
  rmSync(draft, { force: true });
  writeFileSync(draft, `# Written by npm start: the settings of its server.\n${lines.join('')}`, {
    mode: 0o600,
    flag: 'wx',
  });
  renameSync(draft, serverSettingsFile);
}

/** A value in the quotes that it does not hold itself. */
function quoted(value: string): string {
  const mark = ["'", '"', '`'].find((each) => !value.includes(each)) ?? '';
  return `${mark}${value}${mark}`;
}

async function startServer(
  settings: StartSettings,
  databaseUrl: string,
  started: Started,
  lock: RunLock,
): Promise<Service> {
  const folder = join(stateFolder, 'server');
  rmSync(join(folder, 'listening.json'), { force: true });
  const entry = join(repository, 'services/server/bin/modfleet-server.js');
  const ours = {
    DATABASE_URL: databaseUrl,
    MODFLEET_HTTP_LISTEN: settings.http,
    MODFLEET_SESSION_LISTEN: settings.session,
    MODFLEET_IDENTITY_LISTEN: settings.identity,
    MODFLEET_STATE_DIR: folder,
  };
  writeServerSettings({ ...modfleetSettings(process.env), ...ours });
  const service = startService('server', process.execPath, ['--enable-source-maps', entry, 'serve'], {
    ...process.env,
    ...ours,
  });
  started.add('the server', () => service.stop());
  if (service.pid !== undefined) lock.add('server', service.pid, 'modfleet-server.js');
  await withProgress('starting the server', () =>
    until(
      'the server is ready',
      SERVER_READY_MS,
      async () => (await fetch(`http://${settings.http}/readyz`)).ok || undefined,
      [service.ended, started.stopping],
    ),
  );
  return service;
}

/** True when this clone's agent has an identity that this clone's server still knows. */
async function isEnrolled(api: Api, folder: string): Promise<boolean> {
  const identity = join(folder, 'state', 'identity.json');
  if (!existsSync(identity)) return false;
  const { hostId: id } = JSON.parse(readFileSync(identity, 'utf8')) as { hostId?: string };
  if (id === undefined) return false;
  const known = await api.get(`/api/v1/hosts/${id}`).then(
    (host) => (host as { retiredAt: string | null }).retiredAt === null,
    () => false,
  );
  if (!known) rmSync(join(folder, 'state'), { recursive: true, force: true });
  return known;
}

async function startAgent(settings: StartSettings, api: Api, started: Started, lock: RunLock): Promise<Service> {
  const folder = join(stateFolder, 'agent');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const joinFile = join(folder, 'join');
  if (!(await isEnrolled(api, folder))) {
    const token = (await api.post('/api/v1/join-tokens', { name: `npm start on ${hostname()}` })) as {
      joinString: string;
    };
    writeFileSync(joinFile, `${token.joinString}\n`, { mode: 0o600 });
  }
  const config = join(folder, 'agent.yaml');
  writeFileSync(
    config,
    [
      '# Written by npm start. The agent of this machine: it reports, and never acts.',
      `server: ${settings.identity}`,
      'mode: observe',
      `state_dir: ${join(folder, 'state')}`,
      `join_file: ${joinFile}`,
      '',
    ].join('\n'),
  );
  const entry = join(repository, 'agent/bin/modfleet-agent.js');
  const service = startService(
    'agent',
    process.execPath,
    ['--enable-source-maps', entry, 'run', '--config', config],
    process.env,
  );
  started.add('the agent', () => service.stop());
  if (service.pid !== undefined) lock.add('agent', service.pid, 'modfleet-agent.js');
  await withProgress("connecting this machine's agent", () =>
    until('the agent is connected', HOST_CONNECTED_MS, () => connectedHost(api, folder), [
      service.ended,
      started.stopping,
    ]),
  );
  return service;
}

async function connectedHost(api: Api, folder: string): Promise<string | undefined> {
  const identity = join(folder, 'state', 'identity.json');
  if (!existsSync(identity)) return undefined;
  const { hostId: id } = JSON.parse(readFileSync(identity, 'utf8')) as { hostId: string };
  const host = (await api.get(`/api/v1/hosts/${id}`)) as { name: string; connected: boolean };
  return host.connected ? host.name : undefined;
}

function tellHowToUse(settings: StartSettings, tokenFile: string): void {
  console.log(`
modfleet runs.
  API          http://${settings.http}/api/v1   (description: /api/v1/openapi.json)
  admin token  ${tokenFile}
  settings     ${serverSettingsFile}
  logs         ${join(stateFolder, 'logs')}

Try, in another terminal in this folder:
  npx modfleet hosts list
  npx modfleet kmods hosts virtio_net
  npx modfleet kmods list
  npx modfleet-server --settings .modfleet/server.env help

Ctrl-C stops everything.`);
}

async function main(): Promise<number> {
  const settings = startSettings(process.argv.slice(2));
  if (settings.help) {
    console.log(START_HELP);
    return 0;
  }
  const lock = await takeRunLock();
  const started = new Started();
  const interrupted = new Promise<string>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => done(''));
  });
  const work = run(settings, started, lock);
  try {
    const why = await Promise.race([work.then((failures) => Promise.race(failures)), interrupted]);
    if (why !== '') console.error(`modfleet: ${why}`);
    else process.stderr.write('\nstopping …\n');
    return why === '' ? 0 : 1;
  } finally {
    await started.stopAll();
    // A step under way (PostgreSQL is just coming up, say) may still bring something to stop.
    const settled = work.then(
      () => undefined,
      () => undefined,
    );
    await Promise.race([settled, delay(STEP_END_MS)]);
    await started.stopAll();
    lock.release();
  }
}

/** Brings everything up; gives the promises that settle when a part ends by itself. */
async function run(settings: StartSettings, started: Started, lock: RunLock): Promise<Promise<string>[]> {
  if (settings.lab > 0) await requireLab();
  await build();
  started.check();
  await requireFreePort('--http', settings.http);
  await requireFreePort('--session', settings.session);
  await requireFreePort('--identity', settings.identity);
  const database = await startDatabase(started, lock);
  const server = await startServer(settings, database.url, started, lock);
  const tokenFile = join(stateFolder, 'server', 'admin-token');
  const api = connectApi(`http://${settings.http}`, readFileSync(tokenFile, 'utf8').trim());
  writeFileSync(join(stateFolder, 'cli.yaml'), `url: http://${settings.http}\ntoken_file: ${tokenFile}\n`);
  const agent = await startAgent(settings, api, started, lock);
  if (settings.lab > 0) await bootLabHosts(settings, api, (name, stop) => started.add(name, stop));
  if (settings.swarm > 0)
    await startSwarm(settings, api, (name, stop) => started.add(name, stop), [server.ended, started.stopping]);
  tellHowToUse(settings, tokenFile);
  return [server.ended, agent.ended, database.ended];
}

await runMain(main);
// A compiler that was interrupted, or a lab host that still boots, keeps nobody waiting: they end by themselves, or with this process.
process.exit();
