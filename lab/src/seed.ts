import { createHash } from 'node:crypto';
import type { LabAgent } from './agent-bundle.ts';
import { cpioArchive, cpioEntries, type CpioFile, symlink } from './image/cpio.ts';

/** What makes one host differ from the next; written to its disk at its first boot. */
export interface Seed {
  name: string;
  /** The bundled agent; without it the host runs none. */
  agent?: LabAgent | undefined;
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

/** The seed as files by path (no leading slash). */
export function seedFiles(seed: Seed, unique: string): Map<string, CpioFile> {
  const files = new Map<string, CpioFile>();
  files.set('etc/hostname', text(`${seed.name}\n`));
  files.set('etc/hosts', text(`127.0.0.1 localhost\n127.0.1.1 ${seed.name}\n`));
  files.set('etc/machine-id', text(`${machineId(unique)}\n`));
  for (const [path, file] of seed.agent?.files ?? []) files.set(path, file);
  for (const [unit, target] of Object.entries(seed.agent?.enabledUnits ?? {})) {
    files.set(`etc/systemd/system/${target}.wants/${unit}`, symlink(`/usr/lib/systemd/system/${unit}`));
  }
  // The image has a Node.js of its own: 120 MB that need not travel with each boot.
  if (seed.agent !== undefined) files.set('usr/lib/modfleet/node', symlink('/usr/bin/node'));
  if (seed.agentConfig !== undefined) files.set('etc/modfleet/agent.yaml', text(seed.agentConfig));
  if (seed.joinString !== undefined) files.set('etc/modfleet/join', text(`${seed.joinString.trim()}\n`, 0o600));
  const below = (path: string): string => path.replace(/^\/+/, '');
  for (const [path, target] of Object.entries(seed.links ?? {})) files.set(below(path), symlink(target));
  for (const [path, content] of Object.entries(seed.files ?? {})) files.set(below(path), text(content));
  return files;
}

/** The seed as a second initramfs archive: Linux unpacks concatenated ones over each other, here below /seed. */
export async function seedArchive(seed: Seed, unique: string): Promise<Buffer> {
  const below = [...seedFiles(seed, unique)].map(([path, file]): [string, CpioFile] => [`seed/${path}`, file]);
  return cpioArchive(cpioEntries(new Map(below)));
}
