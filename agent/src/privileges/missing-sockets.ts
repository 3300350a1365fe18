import { HELPER_SOCKETS } from '../helper/wire/protocol.ts';
import type { HostFiles } from '../host/host-files.ts';

/** The helper's sockets that are not there although systemd runs: its units were not loaded, or were stopped. None without systemd. */
export async function missingSockets(files: HostFiles): Promise<string[]> {
  if ((await files.stat('/run/systemd/system')).kind !== 'ok') return [];
  const paths = Object.values(HELPER_SOCKETS);
  const seen = await Promise.all(paths.map((path) => files.stat(path)));
  return paths.filter((_path, index) => seen[index]?.kind === 'not_found');
}
