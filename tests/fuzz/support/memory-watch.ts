import { readFile } from 'node:fs/promises';

/** Resident memory of a process, MiB. */
export interface MemoryFigures {
  readonly first: number;
  readonly last: number;
  readonly peak: number;
}

const KIB_PER_MIB = 1_024;

/** What /proc/PID/status says of a process's memory (proc_pid_status(5)): now, and the most that it ever was. */
export class MemoryWatch {
  readonly #pid: number;
  #first = 0;
  #last = 0;
  #peak = 0;

  private constructor(pid: number) {
    this.#pid = pid;
  }

  static async begin(pid: number): Promise<MemoryWatch> {
    const watch = new MemoryWatch(pid);
    await watch.look();
    watch.#first = watch.#last;
    return watch;
  }

  /** @throws when the process is gone. */
  async look(): Promise<void> {
    const status = await readFile(`/proc/${this.#pid}/status`, 'utf8');
    const of = (name: string): number =>
      Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) / KIB_PER_MIB);
    this.#last = of('VmRSS');
    this.#peak = of('VmHWM');
  }

  figures(): MemoryFigures {
    return { first: this.#first, last: this.#last, peak: this.#peak };
  }
}
