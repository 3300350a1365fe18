import { kernelName } from '../kmod/kernel-name.ts';

/** A kernel uevent about a kmod. */
export interface KmodUevent {
  readonly action: 'add' | 'remove';
  readonly kmod: string;
}

/**
 * Reads the lines of `udevadm monitor --kernel --property`: a header, then for each event a line `KERNEL[time] add /module/X (module)`, its
 * properties, and an empty line. Events with SYNTH_UUID were written into a `uevent` file by someone: they say nothing happened.
 */
export class UdevadmLines {
  #action: string | undefined;
  #path = '';
  #synthetic = false;

  /** The event that this line ends, if any. */
  push(line: string): KmodUevent | undefined {
    const head = /^KERNEL\[[0-9.]+\]\s+(\S+)\s+(\S+)/.exec(line);
    if (head !== null) {
      this.#action = head[1];
      this.#path = head[2] ?? '';
      this.#synthetic = false;
      return undefined;
    }
    if (line.startsWith('SYNTH_UUID=')) this.#synthetic = true;
    if (line !== '') return undefined;
    const action = this.#action;
    this.#action = undefined;
    const name = /^\/module\/([^/]+)$/.exec(this.#path)?.[1];
    if (name === undefined || this.#synthetic || (action !== 'add' && action !== 'remove')) return undefined;
    return { action, kmod: kernelName(name) };
  }
}
