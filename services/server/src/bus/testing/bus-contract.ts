import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { comesTrue } from '../../testing/comes-true.ts';
import { type Bus, BUS_PAYLOAD_MAX_BYTES, replicaChannel } from '../bus.ts';

/** A bus as a server has it: with its beginning and its end. */
type LiveBus = Bus & { onApplicationBootstrap(): Promise<void>; onApplicationShutdown(): Promise<void> };

/** A driver, and the line between it and what it goes over. */
export interface BusBench {
  make(replicaId: string): LiveBus;
  /** Breaks the line of every bus, and keeps it broken. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  stop(): Promise<void>;
}

export interface Member {
  readonly bus: LiveBus;
  readonly id: string;
  readonly heard: string[];
}

/** What every driver of the bus does, by the same tests. Call within `describe`. @returns makes a further member of the bus. */
export function busContract(start: () => Promise<BusBench>): () => Promise<Member> {
  let bench: BusBench;
  const members: Member[] = [];

  beforeAll(async () => {
    Logger.overrideLogger(false);
    bench = await start();
  });
  afterEach(async () => {
    await Promise.all(members.splice(0).map(({ bus }) => bus.onApplicationShutdown()));
  });
  afterAll(() => bench.stop());

  async function member(): Promise<Member> {
    const id = randomUUID();
    const bus = bench.make(id);
    const heard: string[] = [];
    bus.subscribe('freeze', (payload) => heard.push(`freeze ${payload}`));
    bus.subscribe(replicaChannel(id), (payload) => heard.push(`mine ${payload}`));
    members.push({ bus, id, heard });
    await bus.onApplicationBootstrap();
    return { bus, id, heard };
  }

  it('reaches everybody on a common channel, the publisher too, and one replica on its own', async () => {
    const [a, b, c] = [await member(), await member(), await member()];
    await a.bus.publish('freeze', '1');
    await a.bus.publish(replicaChannel(b.id), 'hello');
    await a.bus.publish('freeze', '2');
    await comesTrue(() => expect(b.heard).toContain('freeze 2'));
    await comesTrue(() => expect(c.heard).toContain('freeze 2'));
    await comesTrue(() => expect(a.heard).toContain('freeze 2'));
    expect(b.heard).toEqual(['freeze 1', 'mine hello', 'freeze 2']);
    for (const other of [a, c]) expect(other.heard).toEqual(['freeze 1', 'freeze 2']);
  });

  it('carries each message once and in its order, of several that speak at once', async () => {
    const [a, b, listener] = [await member(), await member(), await member()];
    const speak = async (who: Member, name: string): Promise<void> => {
      for (let number = 0; number < 100; number += 1)
        await who.bus.publish(replicaChannel(listener.id), `${name}${number}`);
    };
    await Promise.all([speak(a, 'a'), speak(b, 'b')]);
    await a.bus.publish('freeze', 'done');
    await b.bus.publish('freeze', 'done');
    await comesTrue(() => expect(listener.heard.filter((each) => each === 'freeze done')).toHaveLength(2));
    for (const name of ['a', 'b']) {
      const said = listener.heard.filter((each) => each.startsWith(`mine ${name}`));
      expect(said).toEqual(Array.from({ length: 100 }, (_, number) => `mine ${name}${number}`));
    }
  });

  it('takes what is as long as may be, and refuses what is longer', async () => {
    const { bus, heard } = await member();
    const frame = JSON.stringify(['freeze', '']).length;
    const longest = 'x'.repeat(BUS_PAYLOAD_MAX_BYTES - frame);
    await bus.publish('freeze', longest);
    await comesTrue(() => expect(heard).toEqual([`freeze ${longest}`]));
    await expect(bus.publish('freeze', `${longest}x`)).rejects.toBeInstanceOf(RangeError);
    // Escapes count: what is short as text may be long as it travels.
    await expect(bus.publish('freeze', '"'.repeat(BUS_PAYLOAD_MAX_BYTES / 2))).rejects.toBeInstanceOf(RangeError);
  });

  it('tells nobody who has ended his subscription', async () => {
    const { bus, heard } = await member();
    const late: string[] = [];
    const end = bus.subscribe('freeze', (payload) => late.push(payload));
    end();
    await bus.publish('freeze', 'x');
    await comesTrue(() => expect(heard).toEqual(['freeze x']));
    expect(late).toEqual([]);
  });

  it('outlives a handler that throws, and others hear all the same', async () => {
    const { bus, heard } = await member();
    bus.subscribe('freeze', () => {
      throw new Error('a handler that fails');
    });
    const after: string[] = [];
    bus.subscribe('freeze', (payload) => after.push(payload));
    await bus.publish('freeze', '1');
    await bus.publish('freeze', '2');
    await comesTrue(() => expect(heard).toEqual(['freeze 1', 'freeze 2']));
    expect(after).toEqual(['1', '2']);
  });

  it('says that its line is broken, makes another, says that it is back, and hears again', async () => {
    const { bus, heard } = await member();
    expect(bus.problem).toBeUndefined();
    let resumed = 0;
    bus.onResumed(() => (resumed += 1));
    await bench.cut();
    await comesTrue(() => expect(bus.problem).toEqual(expect.any(String)));
    await bench.mend();
    await comesTrue(() => expect(resumed).toBe(1));
    expect(bus.problem).toBeUndefined();
    await bus.publish('freeze', 'again');
    await comesTrue(() => expect(heard).toEqual(['freeze again']));
  });

  it('begins although nobody is there yet, and hears once somebody is', async () => {
    await bench.cut();
    const { bus, heard } = await member();
    expect(bus.problem).toEqual(expect.any(String));
    await bench.mend();
    await comesTrue(() => expect(bus.problem).toBeUndefined());
    await bus.publish('freeze', 'first');
    await comesTrue(() => expect(heard).toEqual(['freeze first']));
  });

  return member;
}
