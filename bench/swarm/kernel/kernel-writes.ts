import { type HostWrites, listContent, listPath, type WriteEnd } from '../../../agent/src/host/host-writes.ts';
import type { SimulatedKernel } from './simulated-kernel.ts';

/** The agent's third door, to a simulated kernel. */
export class KernelWrites implements HostWrites {
  readonly #kernel: SimulatedKernel;

  constructor(kernel: SimulatedKernel) {
    this.#kernel = kernel;
  }

  async setParameter(kmod: string, name: string, value: string): Promise<WriteEnd> {
    return this.#kernel.setParameter(kmod, name, value) ? DONE : failed('ENOENT', '/sys/module');
  }

  async persist(kmod: string): Promise<WriteEnd> {
    const there = this.#kernel.texts.get(listPath(kmod));
    if (there !== undefined && there !== listContent(kmod)) return { kind: 'foreign' };
    this.#kernel.texts.set(listPath(kmod), listContent(kmod));
    return DONE;
  }

  async unpersist(kmod: string): Promise<WriteEnd> {
    const there = this.#kernel.texts.get(listPath(kmod));
    if (there !== undefined && there !== listContent(kmod)) return { kind: 'foreign' };
    this.#kernel.texts.delete(listPath(kmod));
    return DONE;
  }
}

const DONE: WriteEnd = { kind: 'done' };

function failed(errno: string, place: string): WriteEnd {
  return { kind: 'failed', errno, message: `${errno}: ${place}` };
}
