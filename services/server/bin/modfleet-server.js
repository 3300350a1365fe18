#!/usr/bin/env node
// Runs dist/main.js under a Node.js that is new enough: this one, else the one that `npm install` put into node_modules.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST_MAJOR = 22;
const here = dirname(fileURLToPath(import.meta.url));

/** node_modules/.bin/node of the nearest folder upwards that has one. */
function installedNode(folder) {
  const candidate = join(folder, 'node_modules', '.bin', 'node');
  if (existsSync(candidate)) return candidate;
  return dirname(folder) === folder ? undefined : installedNode(dirname(folder));
}

if (Number(process.versions.node.split('.')[0]) >= OLDEST_MAJOR) {
  // Compiled code is kept in the temporary folder: a later start needs about a sixth less time.
  module.enableCompileCache?.();
  await import('../dist/main.js');
} else {
  const node = installedNode(here);
  if (node === undefined) {
    process.stderr.write(
      `modfleet-server needs Node.js ${OLDEST_MAJOR} or newer; this is ${process.version}. Run "npm install" in the clone, or install a newer one.\n`,
    );
    process.exit(2);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
}
