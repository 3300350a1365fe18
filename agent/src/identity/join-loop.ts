import { readFile, rm } from 'node:fs/promises';
import { codeOf, messageOf } from '../error-words.ts';
import type { Log } from '../log.ts';
import { JoinStringError } from '@modfleet/proto';
import type { HostFacts } from '@modfleet/proto';
import type { ServerAddress } from '../config/agent-config.ts';
import type { MakeRequest } from './certificate-requests.ts';
import type { HostIdentity, IdentityStore } from './host-identity.ts';
import { JoinRefusedError } from './identity-errors.ts';
import { joinHost } from './join-host.ts';

/** How often a host that has not joined looks for a join file, ms. */
const LOOK_EVERY_MS = 5000;

/** Longest wait between two attempts to join, ms. */
const RETRY_CAP_MS = 30_000;

export interface JoinLoopOptions {
  readonly server: ServerAddress | undefined;
  readonly joinFile: string;
  /** Where root's part of the installation puts a join string for an agent that cannot read root's files; looked at first. */
  readonly handedOver: string;
  readonly store: IdentityStore;
  readonly readFacts: () => Promise<HostFacts>;
  readonly makeRequest: MakeRequest;
  readonly log: Log;
  readonly random: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * The identity of this host: kept, or made with the join file as soon as there is one. Waits for it, because a host may be installed before somebody
 * brings the join string. Undefined when told to stop. @throws IdentityStoreError
 */
export async function identityOrJoin(options: JoinLoopOptions): Promise<HostIdentity | undefined> {
  const { store, log, joinFile, handedOver, server, makeRequest, sleep, signal, random } = options;
  let refused: string | undefined;
  let told = false;
  let failures = 0;
  while (!signal.aborted) {
    const identity = await store.load();
    if (identity !== undefined) return identity;
    const joinString = (await readJoinFile(handedOver, log)) ?? (await readJoinFile(joinFile, log));
    if (joinString === undefined || joinString === refused || server === undefined) {
      if (!told) log.warn(waitingWords(server, joinFile, refused !== undefined));
      told = true;
      await sleep(LOOK_EVERY_MS);
      continue;
    }
    try {
      const joined = await joinHost({ server, joinString, facts: await options.readFacts(), store, makeRequest });
      log.info({ hostId: joined.hostId }, 'this machine has joined');
      for (const file of [handedOver, joinFile]) await eraseJoinFile(file, (words) => log.warn(words));
      return joined;
    } catch (error) {
      const words = messageOf(error);
      if (error instanceof JoinRefusedError || error instanceof JoinStringError) {
        log.error(`cannot join: ${words}`);
        refused = joinString;
        told = false;
        continue;
      }
      failures += 1;
      const delayMs = random() * Math.min(RETRY_CAP_MS, 1000 * 2 ** Math.min(failures, 16));
      log.warn({ retryInMs: Math.round(delayMs) }, `cannot join yet: ${words}`);
      await sleep(delayMs);
    }
  }
  return undefined;
}

function waitingWords(server: ServerAddress | undefined, joinFile: string, wasRefused: boolean): string {
  if (server === undefined)
    return 'this machine has not joined a server, and the settings name none: write "server: HOST:7782"';
  const how = `put what "modfleet join-tokens create" prints into ${joinFile}, or run "modfleet-agent join"`;
  return wasRefused ? `waiting for another join string: ${how}` : `this machine has not joined a server: ${how}`;
}

async function readJoinFile(file: string, log: Log): Promise<string | undefined> {
  try {
    const text = (await readFile(file, 'utf8')).trim();
    return text === '' ? undefined : text;
  } catch (error) {
    const errno = codeOf(error);
    // EACCES: root's own file, which is handed over in a moment.
    if (errno !== 'ENOENT' && errno !== 'EACCES') log.error({ errno }, `the join file ${file} cannot be read`);
    return undefined;
  }
}

/** Erases the join file once it has served. A token that was used up is worth nothing, so a failure only leaves rubbish. */
export async function eraseJoinFile(file: string, warn: (words: string) => void): Promise<void> {
  try {
    await rm(file, { force: true });
  } catch (error) {
    warn(`the join file ${file} cannot be erased (${messageOf(error)}); erase it by hand`);
  }
}
