import type { Disk, DiskFile } from '../journal/disk.ts';

/** What stands against writing. */
export type DiskFault = 'none' | 'full' | 'no_inodes' | 'read_only';

interface Inode {
  /** As the kernel has it: what a killed process leaves. */
  now: Buffer;
  /** As the platter has it: what a power cut leaves at least. */
  synced: Buffer;
}

/** How a power cut leaves what was not synced: not there, there, there in part, or its length and nothing in it. */
export type PowerCut = 'lost' | 'kept' | 'torn' | 'zeroed';

/**
 * A disk in memory that can be filled, and crashed at every operation. It keeps what was promised (fsync, fdatasync) and loses the rest in the
 * ways that disks do.
 */
export class SimulatedDisk implements Disk {
  fault: DiskFault = 'none';
  /** Called before and after each operation; a promise that never resolves is a process that was killed there. */
  point: () => Promise<void> = async () => undefined;
  #names = new Map<string, Inode>();
  #syncedNames = new Map<string, Inode>();

  async makeFolder(): Promise<void> {
    await this.point();
  }

  async read(file: string): Promise<Buffer | undefined> {
    await this.point();
    return this.#names.get(file)?.now;
  }

  async open(file: string, how: 'change' | 'create'): Promise<DiskFile> {
    await this.point();
    const known = this.#names.get(file);
    if (how === 'change') {
      if (known === undefined) throw new Error(`ENOENT: ${file}`);
      return this.#file(known);
    }
    this.#refuse('no_inodes');
    const inode = known ?? { now: Buffer.alloc(0), synced: Buffer.alloc(0) };
    inode.now = Buffer.alloc(0);
    this.#names.set(file, inode);
    await this.point();
    return this.#file(inode);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.point();
    this.#refuse();
    const inode = this.#names.get(from);
    if (inode === undefined) throw new Error(`ENOENT: ${from}`);
    this.#names.delete(from);
    this.#names.set(to, inode);
    await this.point();
  }

  async remove(file: string): Promise<void> {
    await this.point();
    this.#refuse();
    this.#names.delete(file);
    await this.point();
  }

  async syncFolder(): Promise<void> {
    await this.point();
    this.#syncedNames = new Map(this.#names);
    await this.point();
  }

  /** The bytes that survive whatever happens next. */
  promised(file: string): string {
    return this.#syncedNames.get(file)?.synced.toString('utf8') ?? '';
  }

  /** The bytes that a reader gets now. */
  bytes(file: string): Buffer | undefined {
    return this.#names.get(file)?.now;
  }

  /** Changes a file behind everybody's back. */
  change(file: string, how: (bytes: Buffer) => Buffer): void {
    const inode = this.#names.get(file);
    if (inode !== undefined) inode.now = inode.synced = how(inode.now);
  }

  /** The machine stops without warning. `share`: how much of an unsynced write is there when it is torn. */
  powerCut(how: PowerCut, share: number): void {
    if (how === 'lost') this.#names = new Map(this.#syncedNames);
    for (const inode of this.#names.values()) {
      inode.now = inode.synced = left(inode, how, share);
    }
    this.#syncedNames = new Map(this.#names);
  }

  #file(inode: Inode): DiskFile {
    const after = async (change: () => void): Promise<void> => {
      await this.point();
      change();
      await this.point();
    };
    return {
      write: async (bytes, position) => {
        await this.point();
        this.#refuse('none');
        if (this.fault === 'full') {
          // As ENOSPC comes in life: some of it fits.
          put(inode, bytes.subarray(0, bytes.length / 3), position);
          throw new Error('ENOSPC: no space left on device');
        }
        put(inode, bytes, position);
        await this.point();
        return bytes.length;
      },
      truncate: (length) =>
        after(() => {
          this.#refuse('none');
          inode.now = inode.now.subarray(0, length);
        }),
      datasync: () => after(() => void (inode.synced = inode.now)),
      sync: () => after(() => void (inode.synced = inode.now)),
      close: async () => undefined,
    };
  }

  #refuse(also: DiskFault = 'none'): void {
    if (this.fault === 'read_only') throw new Error('EROFS: read-only file system');
    if (also !== 'none' && this.fault === also) throw new Error('ENOSPC: no space left on device');
  }
}

function put(inode: Inode, bytes: Uint8Array, position: number): void {
  const grown = Buffer.alloc(Math.max(inode.now.length, position + bytes.length));
  inode.now.copy(grown);
  grown.set(bytes, position);
  inode.now = grown;
}

function left({ now, synced }: Inode, how: PowerCut, share: number): Buffer {
  if (now.equals(synced)) return synced;
  switch (how) {
    case 'lost':
      return synced;
    case 'kept':
      return now;
    case 'torn':
      return now.length <= synced.length
        ? synced
        : now.subarray(0, synced.length + Math.floor((now.length - synced.length) * share));
    case 'zeroed':
      return now.length <= synced.length ? synced : Buffer.concat([synced, Buffer.alloc(now.length - synced.length)]);
  }
}
