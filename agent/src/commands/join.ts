import { readFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { parseJoinString } from '@modfleet/proto';
import { parseServerAddress } from '../config/agent-config.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { messageOf } from '../error-words.ts';
import { keepHostId } from '../helper/host-id.ts';
import { HELPER_STATE_DIR } from '../helper/state-dir.ts';
import { keepCas } from '../helper/trusted-cas.ts';
import { FsHostFiles } from '../host/fs-host-files.ts';
import { FileIdentityStore } from '../identity/file-identity-store.ts';
import { readHostFacts } from '../identity/host-facts.ts';
import { JoinRefusedError } from '../identity/identity-errors.ts';
import { eraseJoinFile } from '../identity/join-loop.ts';
import { joinHost } from '../identity/join-host.ts';
import { trustOf } from '../identity/trust.ts';

export interface JoinCommandOptions {
  readonly config: AgentConfig;
  /** The file that it was read from, when the command line named one. */
  readonly configFile: string | undefined;
  /** host:port of the identity listener; the settings' one when absent. */
  readonly server: string | undefined;
  /** The join string; visible to other users in the process list, so a file is better. */
  readonly token: string | undefined;
  /** File with the join string; `-` is stdin. */
  readonly tokenFile: string | undefined;
  /** Puts an identity that there is aside: the machine becomes a new host. */
  readonly replace: boolean;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Makes this machine a host, once. @throws JoinRefusedError and whatever stands in the way, in words for people */
export async function joinCommand(options: JoinCommandOptions): Promise<void> {
  const { config, stdout } = options;
  const server = options.server === undefined ? config.server : parseServerAddress(options.server);
  if (server === undefined) {
    throw new JoinRefusedError(
      options.server === undefined
        ? 'no server is named: add --server HOST:PORT'
        : `${JSON.stringify(options.server)} is no address: write host:port, for example modfleet.example.com:7782`,
    );
  }
  const store = new FileIdentityStore(config.state_dir);
  const kept = await store.load();
  if (kept !== undefined && !options.replace) {
    throw new JoinRefusedError(`this machine already is host ${kept.hostId}; to make it a new host, add --replace`);
  }
  const joinString = await joinStringOf(options);
  parseJoinString(joinString);
  if (options.replace) await store.setAside();
  const facts = await readHostFacts(new FsHostFiles(config.root), config);
  const { makeCertificateRequest } = await import('../identity/certificate-request.ts');
  const identity = await joinHost({ server, joinString, facts, store, makeRequest: makeCertificateRequest });
  // The helper that systemd starts believes root alone which host this is, and whose commands it takes.
  if (options.configFile === undefined && config.root === '/' && process.geteuid?.() === 0) {
    await keepCas(HELPER_STATE_DIR, trustOf(identity));
    await keepHostId(HELPER_STATE_DIR, identity.hostId);
  }
  if (options.token === undefined && options.tokenFile === undefined) {
    await eraseJoinFile(config.join_file, (words) => options.stderr.write(`${words}\n`));
  }
  stdout.write(`joined as host ${identity.hostId}; start the agent now (systemctl restart modfleet-agent)\n`);
}

async function joinStringOf({ token, tokenFile, config, stdin }: JoinCommandOptions): Promise<string> {
  if (token !== undefined) return token;
  const file = tokenFile ?? config.join_file;
  if (file === '-') return text(stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new JoinRefusedError(`no join string: ${messageOf(cause)}; give --token-file FILE`, { cause });
  }
}
