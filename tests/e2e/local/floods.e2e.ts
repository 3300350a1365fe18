import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FloodDoor } from '../../fuzz/floods/flood-door.ts';
import {
  compressedBombs,
  hugeInventory,
  manySessions,
  manyStreams,
  neverReads,
  oneByteFrames,
  overlongFrame,
  overlongMessage,
  SilentConnections,
} from '../../fuzz/floods/floods.ts';
import { Neighbour } from '../../fuzz/grpc/neighbour.ts';
import { AdminDoor } from '../../fuzz/support/admin-door.ts';
import { agentDoors, joinedAgent } from '../../fuzz/support/joined-hosts.ts';
import { FUZZ_SETTINGS } from '../../fuzz/support/limits.ts';
import { MemoryWatch } from '../../fuzz/support/memory-watch.ts';
import { TestFleet } from '../support/fleet.ts';

/** Most that a flood may add to the server's memory, MiB. */
const GROWTH_MAX = 100;
const HANDSHAKE_MS = 30_000;
/** Of one address: unfinished handshakes, and connections that wait for theirs (agent-listeners.service.ts). */
const SILENT_MAX = 128 + 4_096;
/** Who waits does so for so long, and then has the time of a handshake. */
const SILENCE_MS = 45_000 + HANDSHAKE_MS;

/** A host of the fleet that floods the server: its connection ends with a reason, memory stays, the host beside it notices nothing. */
describe('a flood', () => {
  let fleet: TestFleet;
  let door: AdminDoor;
  let neighbour: Neighbour;
  let flooder: FloodDoor;

  const doorOf = async (name: string, localAddress?: string): Promise<FloodDoor> => {
    const { session, caPem } = agentDoors(fleet);
    return new FloodDoor(session, caPem, await joinedAgent(fleet, door, name), localAddress);
  };

  beforeAll(async () => {
    fleet = await TestFleet.start(FUZZ_SETTINGS);
    door = new AdminDoor(fleet);
    neighbour = await Neighbour.connect(fleet, door);
    flooder = await doorOf('flooder');
    // What is compiled and filled once is no flood's.
    await Promise.all([overlongMessage(flooder), compressedBombs(flooder, 2, 2)]);
  });
  afterAll(async () => {
    await fleet?.stop();
  });

  /** What `flood` gives, when the server's memory and the host beside bore it. */
  async function borne<T>(flood: () => Promise<T>): Promise<T> {
    // VmHWM begins anew (proc_pid_clear_refs(5)).
    writeFileSync(`/proc/${fleet.serverPid}/clear_refs`, '5');
    const memory = await MemoryWatch.begin(fleet.serverPid);
    const answered = neighbour.figures().answered;
    const result = await flood();
    await memory.look();
    const { first, peak } = memory.figures();
    expect(peak - first, `from ${first} to ${peak} MiB`).toBeLessThanOrEqual(GROWTH_MAX);
    await delay(1_000);
    expect(neighbour.faults()).toEqual([]);
    expect(neighbour.figures().answered).toBeGreaterThan(answered);
    return result;
  }

  it('of a frame or a message that is too long ends the connection, or the call', async () => {
    await borne(async () => {
      await overlongFrame(flooder);
      expect(await overlongMessage(flooder)).toMatch(/^8 Received message larger than max/);
    });
  });

  it('of messages that are small until they are unpacked is refused before they are', async () => {
    const ends = await borne(() => compressedBombs(flooder, 20, 200));
    expect(new Set(ends)).toEqual(
      new Set([expect.stringMatching(/^8 Received message that decompresses to a size larger/)]),
    );
  });

  it('of frames of one byte ends when the first message has not come in time', async () => {
    expect(await borne(() => oneByteFrames(flooder, 20_000))).toBe('14 nothing was heard of the host for 10000 ms');
  });

  it('of 10,000 connections that say nothing leaves room for hosts of other addresses, and is over in little more than a minute', async () => {
    await borne(async () => {
      const silent = new SilentConnections();
      await silent.connect(flooder, 10_000);
      expect(silent.open).toBeLessThanOrEqual(SILENT_MAX);
      const elsewhere = await doorOf('elsewhere', '127.0.0.2');
      const session = elsewhere.http2();
      const { stream } = elsewhere.stream(session);
      const welcomed = new Promise((resolve) => stream.once('data', resolve));
      stream.write(elsewhere.hello());
      await welcomed;
      session.destroy();
      await expect.poll(() => silent.open, { timeout: SILENCE_MS + 10_000 }).toBe(0);
      silent.end();
    });
  });

  it('of words by a host that reads nothing ends in a minute', async () => {
    const reader = await doorOf('reader of nothing');
    expect(await borne(() => neverReads(reader, 20_000))).not.toBe('open');
  }, 150_000);

  it('of streams by one host ends its connection; of connections, is cut to so many sessions', async () => {
    await borne(async () => {
      await manyStreams(await doorOf('of many streams'), 2_000);
      const sessions = await manySessions(await doorOf('of many sessions'), 200);
      expect(sessions['14 this host opens sessions too often'] ?? 0).toBeGreaterThan(50);
      expect(sessions['open']).toBeLessThanOrEqual(1);
    });
  });

  it('of 100,000 kmods is refused at its first chunk, with the reason', async () => {
    const { how, sent } = await borne(async () => hugeInventory(await doorOf('of many kmods'), 100_000));
    expect(how).toMatch(/^3 facet loaded: 9000000 bytes are more than any machine has: 2097152 are allowed/);
    expect(sent).toBeLessThan(9_000_000);
  });
});
