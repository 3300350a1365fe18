import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { Facet } from '@modfleet/proto';
import { framed } from '../grpc/attack.ts';
import { dataFrame, OPENED, streamFrames } from '../grpc/frames.ts';
import { type FloodDoor, say } from './flood-door.ts';

const MIB = 1024 * 1024;

/** An HTTP/2 frame of a megabyte, where 16 KiB are allowed. Resolves when the server has closed the connection. */
export async function overlongFrame(door: FloodDoor): Promise<void> {
  const socket = door.tls();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.resume().write(OPENED);
  socket.write(dataFrame(Buffer.alloc(MIB)));
  await closed;
}

/** A message of two megabytes, where one is allowed. @returns how the call ended */
export async function overlongMessage(door: FloodDoor): Promise<string> {
  const session = door.http2();
  const { stream, end } = door.stream(session);
  stream.resume().write(framed(Buffer.alloc(2 * MIB), { flag: 0, length: undefined }));
  const how = await end;
  session.destroy();
  return how;
}

/** `times` messages at once that are small and become `mib` MiB. @returns how the calls ended */
export async function compressedBombs(door: FloodDoor, times: number, mib: number): Promise<string[]> {
  const bomb = framed(gzipSync(Buffer.alloc(mib * MIB)), { flag: 1, length: undefined });
  return Promise.all(
    Array.from({ length: times }, async () => {
      const session = door.http2();
      const { stream, end } = door.stream(session, { 'grpc-encoding': 'gzip' });
      stream.resume().write(bomb);
      const how = await end;
      session.destroy();
      return how;
    }),
  );
}

/** A message that never comes to its end, a byte a frame. @returns how the call ended */
export async function oneByteFrames(door: FloodDoor, frames: number): Promise<string> {
  const session = door.http2();
  const { stream, end } = door.stream(session);
  stream.resume().write(framed(Buffer.alloc(0), { flag: 0, length: MIB - 1 }));
  let over = false;
  void end.then(() => (over = true));
  for (let sent = 0; sent < frames && !over; sent += 1) {
    stream.write(Buffer.alloc(1));
    // What is written in one turn goes out as one frame.
    await setImmediate();
  }
  const how = await end;
  session.destroy();
  return how;
}

/** Connections that never say a word. */
export class SilentConnections {
  readonly #sockets: ReturnType<FloodDoor['plain']>[] = [];
  #open = 0;

  /** Opens so many; resolves when each was taken or turned away. */
  async connect(door: FloodDoor, count: number): Promise<void> {
    const made: Promise<void>[] = [];
    for (let each = 0; each < count; each += 1) {
      const socket = door.plain().resume();
      made.push(
        new Promise((resolve) => {
          socket.once('connect', () => {
            this.#open += 1;
            socket.once('close', () => (this.#open -= 1));
          });
          socket.once('connect', resolve).once('close', () => resolve());
        }),
      );
      this.#sockets.push(socket);
      if (each % 100 === 99) await delay(5);
    }
    await Promise.all(made);
    await delay(500);
  }

  /** Those that the server holds now. */
  get open(): number {
    return this.#open;
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A host that says much and reads nothing: its window is closed, so that nothing can be sent to it. @returns how its stream ended */
export async function neverReads(door: FloodDoor, heartbeats: number): Promise<string> {
  const session = door.http2({ initialWindowSize: 0 });
  const { stream, end } = door.stream(session);
  stream.write(door.hello());
  const beat = say({ $case: 'heartbeat', value: { boottimeMs: 1, facets: [] } });
  let over = false;
  void end.then(() => (over = true));
  for (let each = 0; each < heartbeats && !over; each += 1) {
    if (!stream.write(beat)) await Promise.race([new Promise((resolve) => stream.once('drain', resolve)), end]);
    if (each % 500 === 499) await delay(1);
  }
  const how = await end;
  session.destroy();
  return how;
}

/** Many streams on one connection, whatever the server says of how many it takes. Resolves when the server has closed the connection. */
export async function manyStreams(door: FloodDoor, count: number): Promise<void> {
  const socket = door.tls().resume();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.write(OPENED);
  const hello = door.hello();
  for (let stream = 1; stream < count; stream += 1) socket.write(streamFrames(2 * stream + 1, hello));
  await closed;
}

/** Longest that sessions are waited for which others have taken the place of. */
const REPLACED_MS = 60_000;

/** Many connections of one identity, one after the other, each with a stream. @returns how the streams ended; those that did not are called 'open' */
export async function manySessions(door: FloodDoor, count: number): Promise<Record<string, number>> {
  const ends: Record<string, number> = {};
  const sessions: ReturnType<FloodDoor['http2']>[] = [];
  let open = 0;
  for (let each = 0; each < count; each += 1) {
    const session = door.http2();
    sessions.push(session);
    const { stream, end } = door.stream(session);
    open += 1;
    void end.then((how) => {
      open -= 1;
      ends[how] = (ends[how] ?? 0) + 1;
    });
    stream.resume().write(door.hello());
    if (each % 10 === 9) await delay(100);
  }
  // All but the newest end, sooner or later.
  for (let waited = 0; open > 1 && waited < REPLACED_MS; waited += 100) await delay(100);
  const left = open;
  for (const session of sessions) session.destroy();
  return { ...ends, open: left };
}

/** `loaded` of so many kmods, in chunks. @returns how the session ended, and how many bytes were sent */
export async function hugeInventory(door: FloodDoor, kmods: number): Promise<{ how: string; sent: number }> {
  const session = door.http2();
  const { stream, end } = door.stream(session);
  stream.resume().write(door.hello());
  const bytesPerKmod = 90;
  const totalBytes = kmods * bytesPerKmod;
  const digest = Buffer.alloc(32, 7);
  let over = false;
  void end.then(() => (over = true));
  let sent = 0;
  for (let offset = 0; offset < totalBytes && !over;) {
    const data = Buffer.alloc(Math.min(256 * 1024, totalBytes - offset), 65);
    const content = { $case: 'chunk', value: { contentDigest: digest, totalBytes, offset, data } } as const;
    stream.write(
      say({ $case: 'facetUpdate', value: { facet: Facet.FACET_LOADED, digest, observedAgeMs: 0, content } }),
    );
    offset += data.length;
    sent = offset;
    await delay(20);
  }
  const how = await end;
  session.destroy();
  return { how, sent };
}
