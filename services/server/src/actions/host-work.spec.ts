import { describe, expect, it } from 'vitest';
import { HostWork } from './host-work.ts';

/** Work that ends when the test says so. */
function heldWork(): { work: HostWork; rounds: string[]; release: () => void } {
  const rounds: string[] = [];
  let open: (() => void) | undefined;
  const work = new HostWork((hostId, fromStart) => {
    rounds.push(`${hostId} ${fromStart ? 'from start' : 'next'}`);
    return new Promise((resolve) => (open = resolve));
  });
  return { work, rounds, release: () => open?.() };
}

/** Lets everything that is ready run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('HostWork', () => {
  it('makes one more round of any number of calls that come meanwhile', async () => {
    const { work, rounds, release } = heldWork();
    for (const fromStart of [false, false, true, false]) work.request('a', fromStart);
    expect(rounds).toEqual(['a next']);
    release();
    await settle();
    expect(rounds).toEqual(['a next', 'a from start']);
    release();
    await work.idle();
    expect(rounds).toHaveLength(2);
  });

  it('does not let one host wait for another', () => {
    const { work, rounds } = heldWork();
    work.request('a', false);
    work.request('b', false);
    expect(rounds).toEqual(['a next', 'b next']);
  });

  it('makes no more rounds at a time than it may, in the order of asking, and one for a host that waits', async () => {
    const rounds: string[] = [];
    const open: (() => void)[] = [];
    const work = new HostWork((hostId) => {
      rounds.push(hostId);
      return new Promise((resolve) => open.push(resolve));
    }, 2);
    for (const hostId of ['a', 'b', 'c', 'd', 'c', 'a']) work.request(hostId, false);
    await settle();
    expect(rounds).toEqual(['a', 'b']);
    for (const so of [
      ['a', 'b', 'c'],
      ['a', 'b', 'c', 'd'],
      ['a', 'b', 'c', 'd', 'a'],
    ]) {
      open.shift()?.();
      await settle();
      expect(rounds).toEqual(so);
    }
    for (const end of open) end();
    await work.idle();
    work.request('e', false);
    work.request('f', false);
    await settle();
    expect(rounds.slice(5)).toEqual(['e', 'f']);
  });

  it('begins nothing after the stop, also of what waited for its turn', async () => {
    const rounds: string[] = [];
    let open = (): void => undefined;
    const work = new HostWork((hostId) => {
      rounds.push(hostId);
      return new Promise((resolve) => (open = resolve));
    }, 1);
    for (const hostId of ['a', 'b', 'c']) work.request(hostId, false);
    const stopping = work.stop();
    open();
    await stopping;
    expect(rounds).toEqual(['a']);
  });

  it('begins nothing after the stop, and waits for what is under way', async () => {
    const { work, rounds, release } = heldWork();
    work.request('a', false);
    work.request('a', false);
    let stopped = false;
    const stopping = work.stop().then(() => (stopped = true));
    work.request('b', false);
    await settle();
    expect(stopped).toBe(false);
    release();
    await stopping;
    expect(rounds).toEqual(['a next']);
  });
});
