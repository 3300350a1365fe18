import { readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { codeOf, messageOf } from '../error-words.ts';
import { makePrivateFolder, writeFileAtomically } from './atomic-file.ts';
import { IdentityStoreError } from './host-identity.ts';
import type { HostIdentity, IdentityStore } from './host-identity.ts';

/** Format of identity.json. A newer agent reads all older ones. */
const FORMAT_VERSION = 1;

const port = z.number().int().min(1).max(65_535);
const fileSchema = z.object({
  version: z.literal(FORMAT_VERSION),
  hostId: z.uuid(),
  certificatePem: z.string().min(1),
  caPem: z.string().min(1),
  trustGeneration: z.number().int().min(0).default(0),
  trustBundle: z.base64().optional(),
  server: z.object({ host: z.string().min(1), identityPort: port, sessionPort: port }),
});

/** Key and identity in the state folder: `host-key.pem` and `identity.json`, both 0600. */
export class FileIdentityStore implements IdentityStore {
  readonly #folder: string;

  constructor(stateDir: string) {
    this.#folder = stateDir;
  }

  async load(): Promise<HostIdentity | undefined> {
    const text = await this.#read('identity.json');
    if (text === undefined) return undefined;
    const parsed = fileSchema.safeParse(parseJson(text));
    if (!parsed.success) {
      const file = path.join(this.#folder, 'identity.json');
      throw new IdentityStoreError(
        `${file} is damaged or from a newer agent; restore it, or remove it and join this host again (it then is a new host)`,
      );
    }
    const { version: _version, ...identity } = parsed.data;
    return identity;
  }

  save(identity: HostIdentity): Promise<void> {
    return this.#write('identity.json', `${JSON.stringify({ version: FORMAT_VERSION, ...identity }, null, 2)}\n`);
  }

  loadKey(): Promise<string | undefined> {
    return this.#read('host-key.pem');
  }

  saveKey(pem: string): Promise<void> {
    return this.#write('host-key.pem', pem);
  }

  /** The identity goes first: a crash in between leaves a key without a host, which joins as the host that it was. */
  async setAside(): Promise<void> {
    for (const name of ['identity.json', 'host-key.pem']) {
      const file = path.join(this.#folder, name);
      try {
        await rename(file, `${file}.old`);
      } catch (cause) {
        if (codeOf(cause) !== 'ENOENT')
          throw new IdentityStoreError(`${file} cannot be put aside: ${messageOf(cause)}`, { cause });
      }
    }
  }

  async #read(name: string): Promise<string | undefined> {
    const file = path.join(this.#folder, name);
    try {
      return await readFile(file, 'utf8');
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return undefined;
      throw new IdentityStoreError(`${file} cannot be read: ${messageOf(cause)}`, { cause });
    }
  }

  async #write(name: string, content: string): Promise<void> {
    const file = path.join(this.#folder, name);
    try {
      await makePrivateFolder(this.#folder);
      await writeFileAtomically(file, content);
    } catch (cause) {
      throw new IdentityStoreError(
        `${file} cannot be written: ${messageOf(cause)}; the agent needs a writable state_dir`,
        { cause },
      );
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
