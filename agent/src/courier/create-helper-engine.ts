import type { TrustBundle } from '@modfleet/proto';
import type { ActionLog } from '../actions/action-host.ts';
import type { ServerRoute } from '../actions/protection/routes.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { Confirmer } from '../confirm/confirmer.ts';
import { entryFile } from '../exec/program-files.ts';
import type { BootClock, ServerClock } from '../time/clock.ts';
import { HELPER_COMPILE_CACHE } from '../helper/wire/protocol.ts';
import { HelperEngine } from './helper-engine.ts';
import { helperWay, openLinks } from './open-link.ts';

export interface CreateHelperEngineOptions {
  readonly config: AgentConfig;
  /** As given on the command line; systemd's helper reads the default one, and is for an agent that does so too. */
  readonly configFile: string | undefined;
  readonly hostId: string;
  /** CA certificates of the server, DER. */
  readonly authorities: () => readonly Buffer[];
  /** The bundle that this agent took last. */
  readonly trust: () => TrustBundle | undefined;
  readonly clock: BootClock;
  readonly serverClock: ServerClock;
  readonly serverRoute: () => ServerRoute | undefined;
  readonly confirmer: Confirmer;
  readonly log: ActionLog;
}

/** The engine of a real host: in front of systemd's helpers where they listen, else in front of children of this process. */
export function createHelperEngine(options: CreateHelperEngineOptions): HelperEngine {
  const { config, configFile, log, ...parts } = options;
  const isInstalled = configFile === undefined && config.root === '/';
  const way = isInstalled ? helperWay() : 'child';
  log.info(
    { helper: way },
    way === 'socket' ? 'the helper is started by systemd' : 'the helper is a child of the agent',
  );
  const settings = configFile === undefined ? [] : ['--config', configFile];
  const childArgs = ['--state', config.state_dir, '--host-id', options.hostId, ...settings];
  const childCache = isInstalled ? HELPER_COMPILE_CACHE : undefined;
  const openLink = openLinks({ way, helperEntry: entryFile('helper'), childArgs, childCache });
  return new HelperEngine({ ...parts, log, openLink });
}
