import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { exists } from './image/cached.ts';
import { cpioArchive, cpioEntries, type CpioFile, symlink } from './image/cpio.ts';
import { labPaths } from './lab-paths.ts';

/** What makes one host differ from the next; written to its disk at its first boot. */
export interface Seed {
  name: string;
  /** The bundled agent; without it the host runs none. */
  agent?: Buffer | undefined;
  /** Text of /etc/modfleet/agent.yaml. */
  agentConfig?: string | undefined;
  /** The join string, one word, for /etc/modfleet/join. */
  joinString?: string | undefined;
  /** More files by absolute path. */
  files?: Readonly<Record<string, string>> | undefined;
  /** More symbolic links: absolute path to target. */
  links?: Readonly<Record<string, string>> | undefined;
}

const text = (content: string, mode = 0o644): CpioFile => ({ content: Buffer.from(content), mode });

/** A machine id of its own for each boot folder and name: 32 hex digits, as systemd wants it. */
export const machineId = (unique: string): string => createHash('sha256').update(unique).digest('hex').slice(0, 32);

/** The seed as files by path (no leading slash). `unit` is the text of the agent's systemd unit, if there is one. */
export function seedFiles(seed: Seed, unique: string, unit: string | undefined): Map<string, CpioFile> {
  const files = new Map<string, CpioFile>();
  files.set('etc/hostname', text(`${seed.name}\n`));
  files.set('etc/hosts', text(`127.0.0.1 localhost\n127.0.1.1 ${seed.name}\n`));
  files.set('etc/machine-id', text(`${machineId(unique)}\n`));
  if (seed.agent !== undefined) {
    files.set('usr/lib/modfleet/agent.mjs', { content: seed.agent, mode: 0o644 });
    if (unit !== undefined) {
      files.set('etc/systemd/system/modfleet-agent.service', text(unit));
      files.set(
        'etc/systemd/system/multi-user.target.wants/modfleet-agent.service',
        symlink('../modfleet-agent.service'),
      );
    }
  }
  if (seed.agentConfig !== undefined) files.set('etc/modfleet/agent.yaml', text(seed.agentConfig));
  if (seed.joinString !== undefined) files.set('etc/modfleet/join', text(`${seed.joinString.trim()}\n`, 0o600));
  const below = (path: string): string => path.replace(/^\/+/, '');
  for (const [path, target] of Object.entries(seed.links ?? {})) files.set(below(path), symlink(target));
  for (const [path, content] of Object.entries(seed.files ?? {})) files.set(below(path), text(content));
  return files;
}

/** The seed as a second initramfs archive: Linux unpacks concatenated ones over each other, here below /seed. */
export async function seedArchive(seed: Seed, unique: string): Promise<Buffer> {
  const unit = (await exists(labPaths.agentUnit)) ? await readFile(labPaths.agentUnit, 'utf8') : undefined;
  const below = [...seedFiles(seed, unique, unit)].map(([path, file]): [string, CpioFile] => [`seed/${path}`, file]);
  return cpioArchive(cpioEntries(new Map(below)));
}
