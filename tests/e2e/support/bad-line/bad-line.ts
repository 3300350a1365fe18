import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ClusterPlace } from '../cluster.ts';
import { FarSide } from './far-side.ts';

const SOURCE = fileURLToPath(new URL('bad-line.c', import.meta.url));

/** What happens to packets in one direction. */
export interface LineState {
  /** Percent that are lost; 100: cut. */
  readonly loss: number;
  readonly delayMs: number;
}
export const GOOD: LineState = { loss: 0, delayMs: 0 };
export const CUT: LineState = { loss: 100, delayMs: 0 };

/** Both directions, as the hosts see them. */
export interface LineWeather {
  readonly toServers: LineState;
  readonly toHosts: LineState;
}
export const FAIR: LineWeather = { toServers: GOOD, toHosts: GOOD };

export interface LineCounts {
  readonly passed: number;
  readonly lost: number;
}

/**
 * The one way between hosts, in this network namespace, and servers, in another: real packets, which a small program (bad-line.c) loses, delays or stops, in each
 * direction as it is told. In the place of `tc netem`, which not every kernel has.
 */
export class BadLine {
  readonly #far: FarSide;
  readonly #program: ChildProcessWithoutNullStreams;
  readonly #answers: Interface;

  private constructor(far: FarSide, program: ChildProcessWithoutNullStreams) {
    this.#far = far;
    this.#program = program;
    this.#answers = createInterface({ input: program.stdout });
  }

  /** @param seed decides which packets are lost, for packets that come at the same times. */
  static async open(seed: number): Promise<BadLine> {
    const folder = mkdtempSync(join(tmpdir(), 'modfleet-line-'));
    const far = FarSide.open();
    try {
      const binary = join(folder, 'bad-line');
      execFileSync('gcc', ['-O2', '-Wall', '-Wextra', '-o', binary, SOURCE]);
      // It ends at the end of its input, so that it never outlives this process.
      const program = spawn(binary, [far.namespace, far.device, String(seed)], { stdio: ['pipe', 'pipe', 'pipe'] });
      program.stderr.pipe(process.stderr);
      program.stdin.on('error', () => undefined);
      const line = new BadLine(far, program);
      await line.#answer();
      far.connect();
      return line;
    } catch (error) {
      far.close();
      throw error;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Address that a host connects from, by its number. */
  hostAddress(number: number): string {
    return this.#far.hostAddress(number);
  }

  serverAddress(number: number): string {
    return this.#far.serverAddress(number);
  }

  thereForServers(): ClusterPlace {
    return this.#far.place();
  }

  /** From now on; packets on their way arrive as they were to. */
  async becomes({ toServers, toHosts }: LineWeather): Promise<void> {
    await this.#tell(`there ${toServers.loss} ${toServers.delayMs}`);
    await this.#tell(`here ${toHosts.loss} ${toHosts.delayMs}`);
  }

  /** Packets so far. */
  async counts(): Promise<{ readonly toServers: LineCounts; readonly toHosts: LineCounts }> {
    const [, ...numbers] = (await this.#tell('counts')).split(' ').map(Number);
    const [passed = 0, lost = 0, passedBack = 0, lostBack = 0] = numbers;
    return { toServers: { passed, lost }, toHosts: { passed: passedBack, lost: lostBack } };
  }

  async close(): Promise<void> {
    const { exitCode, signalCode } = this.#program;
    const ended = exitCode === null && signalCode === null ? once(this.#program, 'exit') : undefined;
    this.#program.stdin.end();
    await ended;
    this.#far.close();
  }

  /** One at a time. */
  async #tell(words: string): Promise<string> {
    const answer = this.#answer();
    this.#program.stdin.write(`${words}\n`);
    return answer;
  }

  async #answer(): Promise<string> {
    const over = new AbortController();
    try {
      const [answer] = (await Promise.race([
        once(this.#answers, 'line', { signal: over.signal }),
        once(this.#program, 'exit', { signal: over.signal }).then(() => {
          throw new Error('the line between the namespaces has ended');
        }),
      ])) as [string];
      return answer;
    } finally {
      over.abort();
    }
  }
}
