import type { PutBackPorts } from '../../../agent/src/confirm/snapshot/put-back.ts';
import type { Exec, ExecResult, ProgramName } from '../../../agent/src/exec/exec.ts';
import { shapeOf, undeclaredVector } from '../../../agent/src/exec/vectors.ts';
import { MemoryHostFiles } from '../../../agent/src/host/memory-host-files.ts';
import type { LabHost } from '../../../lab/src/lab.ts';

/** What a put-back needs, on a lab host: its programs, with declared vectors only, and those of its files that say which kmods there are. */
export interface GuestDoors extends PutBackPorts {
  /** What was refused since the beginning, as the programs said it. */
  readonly refused: readonly string[];
}

/** No settings of interfaces: hundreds of small files, each a command on the host. */
export function guestDoors(host: LabHost): GuestDoors {
  const refused: string[] = [];
  const run = async (program: ProgramName, args: readonly string[]): Promise<ExecResult> => {
    if (shapeOf(program, args) === undefined) {
      const reason = undeclaredVector(program, args);
      refused.push(reason);
      return { ended: { kind: 'not_started', reason }, stdout: '', stderr: '', durationMs: 0 };
    }
    const { code, stdout, stderr } = await host.run(`${program} ${args.map((one) => `'${one}'`).join(' ')}`);
    if (code !== 0) refused.push(`${program} ${args.join(' ')}: ${(stderr || stdout).trim()}`);
    return { ended: { kind: 'exited', code }, stdout, stderr, durationMs: 1 };
  };
  return {
    refused,
    files: new GuestFiles(host),
    exec: { find: (program: ProgramName) => `/usr/sbin/${program}`, run } as unknown as Exec,
    settings: { write: async () => true },
    clock: { nowMs: () => Date.now() },
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  };
}

class GuestFiles extends MemoryHostFiles {
  readonly #host: LabHost;

  constructor(host: LabHost) {
    super({});
    this.#host = host;
  }

  override async readText(path: string): ReturnType<MemoryHostFiles['readText']> {
    const { code, stdout } = await this.#host.run(`cat ${path}`);
    return code === 0 ? { kind: 'ok', value: stdout } : { kind: 'not_found' };
  }

  override async list(path: string): ReturnType<MemoryHostFiles['list']> {
    if (path.startsWith('/proc/sys/')) return { kind: 'not_found' };
    const { code, stdout } = await this.#host.run(`ls ${path}`);
    if (code !== 0) return { kind: 'not_found' };
    const names = stdout.split('\n').filter((name) => name !== '');
    return { kind: 'ok', value: names.map((name) => ({ name, kind: 'file' as const })) };
  }

  override async stat(path: string): ReturnType<MemoryHostFiles['stat']> {
    const { code } = await this.#host.run(`test -e ${path}`);
    return code === 0
      ? { kind: 'ok', value: { size: 0, mtimeMs: 0, kind: 'file', mode: 0o644 } }
      : { kind: 'not_found' };
  }
}
