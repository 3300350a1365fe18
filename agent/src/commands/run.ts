import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Log } from '../log.ts';
import type { ServerRoute } from '../actions/protection/routes.ts';
import { COLLECT_AVAILABLE_COMMAND } from './collect-available.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { passedSocket } from '../config/passed-socket.ts';
import { createHelperEngine } from '../courier/create-helper-engine.ts';
import { TlsConfirmer } from '../confirm/tls-confirmer.ts';
import { collectInChild } from '../facets/available.ts';
import { createInventory } from '../facets/host-inventory.ts';
import { NoExec, NodeExec } from '../exec/node-exec.ts';
import { FsHostFiles } from '../host/fs-host-files.ts';
import type { HostFiles } from '../host/host-files.ts';
import { requestsInChild } from '../identity/certificate-requests.ts';
import { FileIdentityStore } from '../identity/file-identity-store.ts';
import { readHostFacts } from '../identity/host-facts.ts';
import type { HostIdentity, IdentityStore } from '../identity/host-identity.ts';
import { loadOrMakeKey } from '../identity/host-key.ts';
import { identityOrJoin } from '../identity/join-loop.ts';
import { KeptIdentity } from '../identity/kept-identity.ts';
import { bundleOf, trustOf } from '../identity/trust.ts';
import { lockState } from '../identity/state-lock.ts';
import { HostLife } from '../session/host-life.ts';
import { HostBootClock } from '../time/boot-clock.ts';
import { OffsetServerClock } from '../time/server-clock.ts';
import { AGENT_VERSION } from '../version.ts';
import { passedSource, UEVENTS_SOCKET } from '../watch/passed-source.ts';
import { SpareMemory } from './spare-memory.ts';

/** Until the server says otherwise, in ms. */
const FIRST_INTERVALS = { pollMs: 2000, quietPollMs: 15_000, facetMs: 60_000 };

/**
 * How long the first Hello waits for what the helper knows, ms: a helper starts in a quarter of a second. One that cannot start keeps no host silent; what
 * it knows is then told with the next Hello.
 */
const FIRST_BOOK_MS = 5_000;

export interface RunOptions {
  readonly config: AgentConfig;
  /** The file that it was read from, when the command line named one. */
  readonly configFile: string | undefined;
  readonly log: Log;
  /** Aborted: stop. */
  readonly signal: AbortSignal;
}

/**
 * Runs the agent until `signal` says stop: waits until this machine has joined, then reports and acts.
 *
 * @throws ConfigError, IdentityStoreError
 */
export async function runAgent({ config, configFile, log, signal }: RunOptions): Promise<void> {
  log.info({ version: AGENT_VERSION, mode: config.mode, pid: process.pid }, 'modfleet-agent starts');
  const lock = await lockState(config.state_dir);
  const files = new FsHostFiles(config.root);
  const store = new FileIdentityStore(config.state_dir);
  const identity = await identityOrJoin({
    server: config.server,
    joinFile: config.join_file,
    handedOver: path.join(config.state_dir, 'join'),
    store,
    readFacts: () => readHostFacts(files, config),
    makeRequest: requestsInChild(),
    log,
    random: Math.random,
    sleep: (ms) => wait(ms, undefined, { signal }).catch(() => undefined),
    signal,
  });
  if (identity !== undefined) await live({ config, configFile, log, signal, files, store, identity });
  await lock.release();
  log.info('modfleet-agent stops');
}

interface Life extends RunOptions {
  readonly files: HostFiles;
  readonly store: IdentityStore;
  readonly identity: HostIdentity;
}

/** A host's life: inventory, actions, and the session that carries both. */
async function live({ config, configFile, log, signal, files, store, identity }: Life): Promise<void> {
  const exec = config.root === '/' ? new NodeExec() : new NoExec();
  const bootClock = new HostBootClock();
  const serverClock = new OffsetServerClock(bootClock);
  const kept = new KeptIdentity(store, identity, await loadOrMakeKey(store), bootClock);
  const host = config.server?.host ?? identity.server.host;
  const session = { host, port: identity.server.sessionPort };
  const identityListener = { host, port: config.server?.port ?? identity.server.identityPort };

  // Kept while the server is away: the way back to it stays protected.
  let serverRoute: ServerRoute | undefined;
  const engine = createHelperEngine({
    config,
    configFile,
    hostId: identity.hostId,
    authorities: () => trustOf(kept.current).cas.map((ca) => ca.raw),
    trust: () => bundleOf(kept.current),
    clock: bootClock,
    serverClock,
    serverRoute: () => serverRoute,
    confirmer: new TlsConfirmer(session, () => kept.credentials()),
    log,
  });
  const ueventsSocket = passedSocket(UEVENTS_SOCKET);
  const inventory = createInventory({
    files,
    exec,
    clock: bootClock,
    collectAvailable: collectInChild(config.root, COLLECT_AVAILABLE_COMMAND),
    uevents: ueventsSocket === undefined ? undefined : passedSource(files, ueventsSocket),
    attributionOf: (kmod) => engine.attributionOf(kmod),
    log,
  });
  const spareMemory = new SpareMemory();
  const life = new HostLife({
    kept,
    inventory,
    engine,
    bootClock,
    serverClock,
    log,
    random: Math.random,
    listeners: () => ({ session, identity: identityListener }),
    readFacts: async () => ({ ...(await readHostFacts(files, config)), journal: engine.journalState() }),
    onConnected: (addresses) => {
      spareMemory.connected();
      if (addresses === undefined) return;
      serverRoute = { remoteAddress: addresses.remote, localAddress: addresses.local };
      engine.wayChanged();
    },
    onTrustKept: () => engine.trustChanged(),
  });
  const stop = (): void => life.stop();
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  // All before Hello, which tells of all; side by side, because each waits for other programs.
  await Promise.all([engine.start(), engine.firstBook(FIRST_BOOK_MS), inventory.start(FIRST_INTERVALS)]);
  await life.run();
  spareMemory.stop();
  await inventory.stop();
  await engine.stop();
}
