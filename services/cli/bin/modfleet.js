#!/usr/bin/env node
// Starts the command under Node.js 22 or newer. An older one hands over to the Node.js that `npm install` put beside this clone.
// Plain JavaScript that Node.js 12 can parse, so that the sentence below reaches whoever needs it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST_NODE = 22;
const here = dirname(fileURLToPath(import.meta.url));
const entry = join(here, '..', 'dist', 'main.js');

/** The Node.js of the nearest node_modules above this file, or undefined. */
function nearestNode() {
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', '.bin', 'node');
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}

function stop(sentence) {
  process.stderr.write(`modfleet: ${sentence}\n`);
  process.exit(2);
}

function handOver(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  // The terminal sends SIGINT to both of us: the child decides what it means, we only wait.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => stop(`cannot run ${node}: ${error.message}. Run "npm install" in the clone again.`));
  child.on('exit', (code, signal) => process.exit(code === null ? 128 + (signal === 'SIGINT' ? 2 : 15) : code));
}

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  const node = nearestNode();
  if (node === undefined || node === process.execPath) {
    stop(
      `this is Node.js ${process.versions.node}, and ${OLDEST_NODE} or newer is needed. Run "npm install" in the clone: it brings one.`,
    );
  }
  handOver(node);
} else if (!existsSync(entry)) {
  stop(`it is not built yet: ${entry} is missing. Run "npm start", or "npm run build", in the clone.`);
} else {
  await import(entry);
}
