import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { framed, FrameReader, withoutTag, withTag } from './vlan-frames.ts';

/** More than this waiting to be taken by QEMU, in bytes, and frames are dropped, as a full switch does. */
const MAX_QUEUED = 1024 * 1024;

/**
 * A switch with one trunk and one access port: QEMU's user network drops tagged frames, so between it and the host's cards stands this. Frames of the
 * VLAN lose their tag on the way out and get it on the way in; all others are dropped.
 */
export class VlanRelay {
  readonly #trunk: Server;
  readonly #access: Server;
  readonly #sockets: { trunk?: Socket; access?: Socket } = {};

  private constructor(vlan: number) {
    this.#trunk = createServer((socket) => this.#port(socket, 'trunk', 'access', (frame) => withoutTag(frame, vlan)));
    this.#access = createServer((socket) => this.#port(socket, 'access', 'trunk', (frame) => withTag(frame, vlan)));
  }

  /** Listens for QEMU on both sockets. */
  static async listen(sockets: { trunk: string; access: string }, vlan: number): Promise<VlanRelay> {
    const relay = new VlanRelay(vlan);
    for (const [server, path] of [
      [relay.#trunk, sockets.trunk],
      [relay.#access, sockets.access],
    ] as const) {
      await rm(path, { force: true });
      server.listen(path);
      await once(server, 'listening');
    }
    return relay;
  }

  close(): void {
    this.#trunk.close();
    this.#access.close();
    this.#sockets.trunk?.destroy();
    this.#sockets.access?.destroy();
  }

  #port(
    socket: Socket,
    here: 'trunk' | 'access',
    there: 'trunk' | 'access',
    change: (frame: Buffer) => Buffer | undefined,
  ): void {
    this.#sockets[here] = socket;
    const reader = new FrameReader();
    socket.on('error', () => undefined); // QEMU was killed; `close` follows
    socket.on('data', (chunk: Buffer) => {
      for (const frame of reader.add(chunk)) {
        const changed = change(frame);
        const other = this.#sockets[there];
        if (changed !== undefined && other?.writable && other.writableLength < MAX_QUEUED) other.write(framed(changed));
      }
    });
  }
}
