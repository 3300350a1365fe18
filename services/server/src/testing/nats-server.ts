import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

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
    const port = await Promise.race([listens(folder), died]);
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
async function listens(folder: string): Promise<number> {
  for (let looks = 0; looks < 600; looks += 1) {
    const name = readdirSync(folder).find((each) => each.endsWith('.ports'));
    if (name !== undefined) return portIn(folder, name);
    await delay(50);
  }
  throw new Error('nats-server does not listen within 30 s');
}

function portIn(folder: string, name: string): number {
  const { nats } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { nats: string[] };
  return Number(new URL(nats[0] ?? '').port);
}
