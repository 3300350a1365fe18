import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * Writes a file so that after a crash it holds either its old or its new content: a temporary file in the same folder, fsync, rename, fsync of the
 * folder. Mode 0600; what root writes belongs to the folder's owner, or to root alone (`self`).
 */
export async function writeFileAtomically(
  file: string,
  content: string | Uint8Array,
  owner: 'folder' | 'self' = 'folder',
): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    // Root writes into the folder of the agent's user, too: never through a link that waits there.
    await rm(temporary, { force: true });
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.chmod(0o600);
      if (owner === 'folder') await giveToFolderOwner(handle, path.dirname(file));
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(file));
}

/** Removes the temporary files of writers that were killed in the middle. Only where nobody else writes this file now. */
export async function removeDrafts(file: string): Promise<void> {
  const [folder, name] = [path.dirname(file), path.basename(file)];
  const isDraft = (one: string): boolean => one.startsWith(`${name}.`) && /^\d+\.tmp$/.test(one.slice(name.length + 1));
  for (const one of (await readdir(folder)).filter(isDraft)) await rm(path.join(folder, one), { force: true });
}

/** Makes a folder for the agent alone (0700), and its parents. */
export async function makePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const handle = await open(folder, 'r');
  try {
    // Not where it is so already: a folder on a read-only file system can still be looked into.
    if (((await handle.stat()).mode & 0o777) !== 0o700) await handle.chmod(0o700);
  } finally {
    await handle.close();
  }
}

/** `modfleet-agent join` is run by root, and its files are read by the agent's user. */
async function giveToFolderOwner(handle: FileHandle, folder: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = await stat(folder);
  if (uid !== 0) await handle.chown(uid, gid);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
