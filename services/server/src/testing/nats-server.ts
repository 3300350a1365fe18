import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { comesTrue } from './comes-true.ts';

/** A NATS server of a test's own (Debian: nats-server), on a free loopback port. */
export class TestNats {
  readonly port: number;
  readonly folder: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, folder: string, port: number) {
    this.#child = child;
    this.folder = folder;
    this.port = port;
  }

  /** @param config further lines of its configuration. `files` are put beside it; FOLDER in a line is where. */
  static async start(config = '', files: Readonly<Record<string, string>> = {}): Promise<TestNats> {
    const folder = mkdtempSync(join(tmpdir(), 'modfleet-nats-'));
    const file = join(folder, 'nats.conf');
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
    writeFileSync(
      file,
      `listen: "127.0.0.1:-1"\nports_file_dir: "${folder}"\n${config.replaceAll('FOLDER', folder)}\n`,
    );
    const child = spawn('nats-server', ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    process.once('exit', () => child.kill('SIGKILL'));
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const died = once(child, 'exit').then(() => Promise.reject(new Error(`nats-server ended: ${said}`)));
    const port = await Promise.race([comesTrue(() => portIn(folder)), died]);
    died.catch(() => undefined);
    return new TestNats(child, folder, port);
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** It writes where it listens into a file. */
function portIn(folder: string): number {
  const name = readdirSync(folder).find((each) => each.endsWith('.ports'));
  if (name === undefined) throw new Error('it does not listen yet');
  const { nats } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { nats: string[] };
  return Number(new URL(nats[0] ?? '').port);
}
