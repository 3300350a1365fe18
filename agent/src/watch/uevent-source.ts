import type { ProgramName, StreamOptions } from '../exec/exec.ts';

/** A kernel uevent about a kmod. */
export interface KmodUevent {
  readonly action: 'add' | 'remove';
  readonly kmod: string;
}

/** Reads what the program of a source writes, line by line. */
export interface UeventReader {
  /** Whether the source listens: what happens from now on will be told. */
  readonly listens: boolean;
  /** The event that this line completes, if any. */
  push(line: string): KmodUevent | undefined;
}

/** A program through which kernel uevents arrive; Node has no netlink sockets. */
export interface UeventSource {
  readonly program: ProgramName;
  readonly args: readonly string[];
  readonly options: StreamOptions;
  /** A reader for one run of the program, made before it starts. */
  reader(): Promise<UeventReader>;
}
