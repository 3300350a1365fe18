import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { isUuid } from '@modfleet/proto';
import { codeOf } from '../error-words.ts';
import { makePrivateFolder, writeFileAtomically } from '../identity/atomic-file.ts';
import { HelperRefusal } from './helper-refusal.ts';

/** The helper's own copy of the host's id, in its state folder. */
const FILE = 'host-id';

/** The id that this machine has for its helper; undefined before one was kept. @throws HelperRefusal when it cannot be read */
export async function keptHostId(stateDir: string): Promise<string | undefined> {
  const file = path.join(stateDir, FILE);
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new HelperRefusal('failed', `${file} cannot be read: ${String(error)}`);
  }
  if (!isUuid(text)) throw new HelperRefusal('failed', `${file} holds no host id; "modfleet-agent join" writes it`);
  return text;
}

/** Keeps the id; when this resolves it survives a crash. */
export async function keepHostId(stateDir: string, hostId: string): Promise<void> {
  await makePrivateFolder(stateDir);
  await writeFileAtomically(path.join(stateDir, FILE), `${hostId}\n`);
}

/**
 * Admits a courier that speaks for the host that this machine is. A machine that was joined by a join file has no copy yet: the first id that is
 * told becomes it, and from then on only root changes it (`modfleet-agent join --replace`). `told`: what whoever started the helper as itself says.
 *
 * @throws HelperRefusal
 */
export async function admitHost(stateDir: string, hostId: string, told: string | undefined): Promise<void> {
  const kept = told ?? (await keptHostId(stateDir));
  if (kept === undefined) return keepHostId(stateDir, hostId);
  if (kept === hostId) return;
  throw new HelperRefusal(
    'wrong_host',
    `the courier speaks for host ${hostId}, and this machine is ${kept}; after joining anew run "modfleet-agent join --replace" as root`,
  );
}
