import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { startHelperChild } from '../exec/helper-child.ts';
import { HELPER_SOCKETS, type HelperKind } from '../helper/wire/protocol.ts';
import { HelperUnavailableError, linkOver, type OpenLink } from './helper-link.ts';

/** systemd accepts at once, whatever the load; no answer in this time means that nobody listens. */
const CONNECT_WITHIN_MS = 10_000;

/** How this agent comes to a helper. */
export type HelperWay = 'socket' | 'child';

export interface OpenLinkOptions {
  readonly way: HelperWay;
  /** Where systemd listens, by kind. */
  readonly sockets?: Readonly<Record<HelperKind, string>>;
  /** The helper's program, for a child. */
  readonly helperEntry: string;
  /** What a child is told besides its kind. */
  readonly childArgs: readonly string[];
  /** Where a child keeps what was compiled of it; nowhere when undefined. */
  readonly childCache?: string | undefined;
}

/**
 * By systemd's sockets where they are, else as a child. A child has the agent's own user and capabilities, so the two are not kept apart;
 * `modfleet-agent check` says so.
 */
export function helperWay(sockets: Readonly<Record<HelperKind, string>> = HELPER_SOCKETS): HelperWay {
  return existsSync(path.dirname(sockets.act)) ? 'socket' : 'child';
}

/** Opens links one way. */
export function openLinks(options: OpenLinkOptions): OpenLink {
  const { way, helperEntry, childArgs, childCache, sockets = HELPER_SOCKETS } = options;
  return async (kind) =>
    linkOver(
      way === 'socket'
        ? await connected(sockets[kind], kind)
        : startHelperChild(helperEntry, [kind, ...childArgs], childCache),
    );
}

function connected(socketPath: string, kind: HelperKind): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const fail = (why: string, cause?: Error): void => {
      socket.destroy();
      const unit = kind === 'act' ? 'modfleet-helper.socket' : 'modfleet-evidence.socket';
      reject(
        new HelperUnavailableError(
          `${socketPath}: ${why}; "systemctl status ${unit}" says more`,
          cause === undefined ? {} : { cause },
        ),
      );
    };
    const timer = setTimeout(() => fail('nobody accepts the connection'), CONNECT_WITHIN_MS);
    socket.once('error', (error) => {
      clearTimeout(timer);
      fail(error.message, error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
