import { kernelName } from '../kmod/kernel-name.ts';
import type { KmodUevent, UeventReader, UeventSource } from './uevent-source.ts';

/** `udevadm monitor`: needs neither root nor a running udevd. 4.7 MiB resident. */
export const udevadmSource: UeventSource = {
  program: 'udevadm',
  args: ['monitor', '--kernel', '--property', '--subsystem-match=module'],
  options: {},
  reader: () => Promise.resolve(new UdevadmLines()),
};

/**
 * Reads the lines of `udevadm monitor --kernel --property`: a header when it listens, then for each event a line `KERNEL[time] add /module/X
 * (module)`, its properties, and an empty line. Events with SYNTH_UUID were written into a `uevent` file by someone: they say nothing happened.
 */
export class UdevadmLines implements UeventReader {
  #listens = false;
  #action: string | undefined;
  #path = '';
  #synthetic = false;

  get listens(): boolean {
    return this.#listens;
  }

  push(line: string): KmodUevent | undefined {
    if (line.startsWith('KERNEL - ')) this.#listens = true;
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
