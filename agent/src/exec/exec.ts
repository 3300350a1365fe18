/** Programs that the agent may run; nothing else is ever started. */
export type ProgramName =
  | 'modprobe'
  | 'rmmod'
  | 'udevadm'
  | 'cat'
  | 'flock'
  | 'dmesg'
  | 'dmsetup'
  | 'ip'
  | 'nft'
  | 'tc'
  | 'systemd-run'
  | 'systemctl'
  | 'reboot';

/** How a program ended. stdout and stderr are cut at `maxOutputBytes`. */
export interface ExecResult {
  readonly ended:
    | { readonly kind: 'exited'; readonly code: number }
    | { readonly kind: 'signalled'; readonly signal: string }
    /** Past its time limit; killed, but a process inside the kernel may not die. */
    | { readonly kind: 'timed_out'; readonly reaped: boolean }
    | { readonly kind: 'not_started'; readonly reason: string };
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

/** What a program that goes on reads, and how it parts what it writes. */
export interface StreamOptions {
  /**
   * Its standard input: an open file of this process, by number, or a pipe that `say` writes to and that ends with this process, however that dies.
   * It has none otherwise.
   */
  readonly stdin?: number | 'pipe';
  /** What ends a line; a newline when left out. */
  readonly lineEnd?: '\n' | '\0';
}

/** A program that goes on and writes lines. */
export interface ExecStream {
  onLine(listener: (line: string) => void): void;
  /** `code`: its exit code, where it had one. */
  onEnd(listener: (why: string, code?: number) => void): void;
  /** One line to its standard input, where that is a pipe. */
  say(line: string): void;
  /** Ends its standard input, where that is a pipe: it goes in its own time. */
  close(): void;
  stop(): void;
}

/** The second door to the host: declared programs, argument vectors, never a shell, a time limit, a captured result. */
export interface Exec {
  /** Whether the program is there, and where. */
  find(program: ProgramName): string | undefined;
  run(
    program: ProgramName,
    args: readonly string[],
    options: { readonly timeoutMs: number; readonly maxOutputBytes?: number },
  ): Promise<ExecResult>;
  stream(program: ProgramName, args: readonly string[], options?: StreamOptions): ExecStream;
}
