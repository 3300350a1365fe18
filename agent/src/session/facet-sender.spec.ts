import { describe, expect, it, vi } from 'vitest';
import { ChunkAssembler, FACET_CHUNK_BYTES, Facet, applyDelta, sha256 } from '@modfleet/proto';
import type { FacetUpdate } from '@modfleet/proto';
import type { FacetSnapshot } from '../facets/inventory.ts';
import { FacetSender } from './facet-sender.ts';
import { incapableSnapshot, loadedBytes, loadedSnapshot, valueSnapshot } from './testing/fake-inventory.ts';

interface Fixture {
  readonly sender: FacetSender;
  readonly troubles: string[];
  next(): Promise<FacetUpdate>;
  nothing(): Promise<void>;
}

function start(announced: FacetSnapshot[], wanted: Facet[], current = announced): Fixture {
  const troubles: string[] = [];
  let wake: () => void = () => undefined;
  const sender = new FacetSender(
    {
      bootClock: { nowMs: () => 500 },
      wake: () => wake(),
      onTrouble: (_facet, reason) => troubles.push(reason),
    },
    announced,
    wanted,
    current,
  );
  return {
    sender,
    troubles,
    async next() {
      for (;;) {
        const update = sender.shift();
        if (update !== undefined) return update;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    async nothing() {
      await new Promise((resolve) => setImmediate(resolve));
      expect(sender.shift()).toBeUndefined();
    },
  };
}

describe('facet sender', () => {
  it('sends what Welcome asked for, whole, and nothing else', async () => {
    const { next, nothing } = start(
      [loadedSnapshot('a'), valueSnapshot(Facet.FACET_CONFIG, Buffer.from('c'))],
      [Facet.FACET_LOADED],
    );
    const update = await next();
    expect(update).toMatchObject({ facet: Facet.FACET_LOADED, observedAgeMs: 500, content: { $case: 'whole' } });
    expect(update.digest).toEqual(sha256(loadedBytes('a')));
    await nothing();
  });

  it('sends a change against what the server holds', async () => {
    const { sender, next, nothing } = start([loadedSnapshot('a', 'b')], []);
    await nothing();
    sender.changed([loadedSnapshot('b', 'c')]);
    const first = await next();
    if (first.content?.$case !== 'delta') throw new Error('a delta is expected');
    expect(first.content.value.baseDigest).toEqual(sha256(loadedBytes('a', 'b')));
    expect(applyDelta(Facet.FACET_LOADED, loadedBytes('a', 'b'), first.content.value)).toEqual(loadedBytes('b', 'c'));
    sender.changed([loadedSnapshot('c')]);
    const second = await next();
    if (second.content?.$case !== 'delta') throw new Error('a delta is expected');
    expect(second.content.value.baseDigest).toEqual(first.digest);
    await nothing();
  });

  it('tells what changed between Hello and Welcome', async () => {
    const { next } = start([loadedSnapshot('a')], [], [loadedSnapshot('a', 'b')]);
    expect((await next()).content?.$case).toBe('delta');
  });

  it('sends the whole when the server asks, also while a change is being made', async () => {
    const { sender, next, nothing } = start([loadedSnapshot('a')], []);
    sender.changed([loadedSnapshot('b')]);
    sender.request([Facet.FACET_LOADED]);
    expect((await next()).content).toEqual({ $case: 'whole', value: Buffer.from(loadedBytes('b')) });
    await nothing();
  });

  it('sends the digest alone where the whole is dear or has no change, and waits to be asked', async () => {
    const available = (text: string) =>
      valueSnapshot(Facet.FACET_AVAILABLE, Buffer.from(text), sha256(Buffer.from(`index ${text}`)));
    const { sender, next, nothing } = start([available('1'), valueSnapshot(Facet.FACET_CONFIG, Buffer.from('1'))], []);
    sender.changed([available('2'), valueSnapshot(Facet.FACET_CONFIG, Buffer.from('2'))]);
    expect([(await next()).content?.$case, (await next()).content?.$case]).toEqual(['digestOnly', 'digestOnly']);
    await nothing();
    sender.request([Facet.FACET_AVAILABLE]);
    expect((await next()).content).toEqual({ $case: 'whole', value: Buffer.from('2') });
  });

  it('cuts what is long, and begins anew when it is overtaken', async () => {
    const long = (fill: number) => valueSnapshot(Facet.FACET_CONFIG, Buffer.alloc(FACET_CHUNK_BYTES * 2 + 1, fill));
    const { sender, next, nothing } = start([long(1)], [Facet.FACET_CONFIG]);
    expect((await next()).content).toMatchObject({
      $case: 'chunk',
      value: { offset: 0, totalBytes: FACET_CHUNK_BYTES * 2 + 1 },
    });
    sender.changed([long(2)]);
    sender.request([Facet.FACET_CONFIG]);
    const assembler = new ChunkAssembler();
    let whole: Uint8Array | undefined;
    for (let count = 0; count < 3; count += 1) {
      const { content } = await next();
      if (content?.$case !== 'chunk') throw new Error('a chunk is expected');
      whole = assembler.add(content.value);
    }
    expect(whole).toEqual(Buffer.alloc(FACET_CHUNK_BYTES * 2 + 1, 2));
    await nothing();
  });

  it('says nothing of an incapable facet, and announces it anew when it can be read again', async () => {
    const { sender, next, nothing } = start([loadedSnapshot('a')], []);
    sender.changed([incapableSnapshot(Facet.FACET_LOADED, 'denied')]);
    sender.request([Facet.FACET_LOADED]);
    await nothing();
    sender.changed([loadedSnapshot('a')]);
    expect((await next()).content?.$case).toBe('whole');
  });

  it('reports what cannot be collected once, and tries again when asked', async () => {
    const bytes = vi.fn<() => Promise<Uint8Array>>(() => Promise.reject(new Error('the child ended with exit 1')));
    const broken: FacetSnapshot = {
      facet: Facet.FACET_AVAILABLE,
      observedAtMs: 0,
      state: { kind: 'value', digest: Buffer.alloc(32), bytes },
    };
    const { sender, troubles, nothing } = start([broken], [Facet.FACET_AVAILABLE]);
    await nothing();
    expect(troubles).toEqual(['the child ended with exit 1']);
    sender.request([Facet.FACET_AVAILABLE]);
    await nothing();
    expect(bytes).toHaveBeenCalledTimes(2);
  });

  it('does not begin again what is being collected when the server grows impatient', async () => {
    let finish: (bytes: Uint8Array) => void = () => undefined;
    const bytes = vi.fn<() => Promise<Uint8Array>>(() => new Promise((resolve) => (finish = resolve)));
    const slow: FacetSnapshot = {
      facet: Facet.FACET_AVAILABLE,
      observedAtMs: 0,
      state: { kind: 'value', digest: Buffer.alloc(32), bytes },
    };
    const { sender, next, nothing } = start([slow], [Facet.FACET_AVAILABLE]);
    await nothing();
    sender.request([Facet.FACET_AVAILABLE]);
    finish(Buffer.from('long awaited'));
    expect((await next()).content).toEqual({ $case: 'whole', value: Buffer.from('long awaited') });
    await nothing();
    expect(bytes).toHaveBeenCalledTimes(1);
  });

  it('does not send bytes that are not those of the digest', async () => {
    const { troubles, nothing } = start(
      [valueSnapshot(Facet.FACET_LOADED, loadedBytes('a'), Buffer.alloc(32))],
      [Facet.FACET_LOADED],
    );
    await nothing();
    expect(troubles).toEqual(['facet loaded changed while it was collected']);
  });
});
