/**
 * The way into each of our programs (modfleet, modfleet-server, modfleet-agent): runs the compiled program under a Node.js that is new enough:
 * this one, else the one that `npm install` put into node_modules.
 *
 * Syntax that Node.js 14 can parse, so that the sentence below reaches whoever needs it.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OLDEST_MAJOR = 22;
const EXIT_CANNOT_START = 2;
/** Where `npm start` keeps what it makes, too; not writable (a container, another owner): nothing is kept. */
const compileCache = fileURLToPath(new URL('../../.cache/compile', import.meta.url));
/** What a shell makes of a signal, when a child died of it. */
const SIGNAL_STATUS = { SIGHUP: 129, SIGINT: 130, SIGKILL: 137, SIGTERM: 143 };

/** node_modules/.bin/node of the nearest folder upwards that has one. */
function installedNode(folder) {
  const candidate = join(folder, 'node_modules', '.bin', 'node');
  if (existsSync(candidate)) return candidate;
  return dirname(folder) === folder ? undefined : installedNode(dirname(folder));
}

/**
 * @param {string} program its name, for people
 * @param {string} bin `import.meta.url` of the file in bin/ that calls this; the compiled program is ../dist/main.js from there
 */
export async function runOnNewerNode(program, bin) {
  const stop = (sentence) => {
    process.stderr.write(`${program}: ${sentence}\n`);
    process.exit(EXIT_CANNOT_START);
  };
  const file = fileURLToPath(bin);
  const entry = join(dirname(file), '..', 'dist', 'main.js');
  if (!existsSync(entry))
    stop(`it is not built: ${entry} is missing. Run "npm start", or "npm run build", in the clone.`);
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_MAJOR) {
    // A later start need not compile again. Beside the programs, never in the temporary folder: who can write there could plant code.
    if (module.enableCompileCache !== undefined) module.enableCompileCache(compileCache);
    await import(pathToFileURL(entry).href);
    return;
  }
  const node = installedNode(dirname(file));
  if (node === undefined || node === process.execPath) {
    stop(
      `this is Node.js ${process.versions.node}, and ${OLDEST_MAJOR} or newer is needed. Run "npm install" in the clone: it brings one.`,
    );
  }
  const child = spawn(node, [file, ...process.argv.slice(2)], { stdio: 'inherit' });
  // The terminal sends SIGINT to both: the child decides what it means. Others reach this process alone and are passed on.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => stop(`cannot run ${node}: ${error.message}. Run "npm install" in the clone again.`));
  child.on('exit', (code, signal) => process.exit(code === null ? SIGNAL_STATUS[signal] || 1 : code));
}
