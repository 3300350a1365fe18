import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { labPaths } from '../lab-paths.ts';
import type { HostNetwork } from '../types.ts';

/** What a way of being connected adds to a full host: files by absolute path, and links (path to target). */
export interface NetworkFiles {
  readonly files: Readonly<Record<string, string>>;
  readonly links: Readonly<Record<string, string>>;
}

const UNITS = '/etc/systemd/system';

/** networkd is what the image runs; a host with ifupdown has it masked and Debian's own unit in its place. */
const LINKS: Readonly<Record<HostNetwork, Readonly<Record<string, string>>>> = {
  networkd: {},
  'vlan-bond': {},
  ifupdown: {
    [`${UNITS}/systemd-networkd.service`]: '/dev/null',
    [`${UNITS}/systemd-networkd.socket`]: '/dev/null',
    [`${UNITS}/multi-user.target.wants/networking.service`]: '/lib/systemd/system/networking.service',
    [`${UNITS}/network-online.target.wants/networking.service`]: '/lib/systemd/system/networking.service',
  },
};

/** The files of lab/networks/NAME, a root tree as it stands there. networkd's own are in the image. */
export async function networkFiles(network: HostNetwork): Promise<NetworkFiles> {
  const folder = join(labPaths.networks, network);
  const entries = network === 'networkd' ? [] : await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files = await Promise.all(
    paths.map(async (path): Promise<[string, string]> => [path.slice(folder.length), await readFile(path, 'utf8')]),
  );
  return { files: Object.fromEntries(files), links: LINKS[network] };
}
