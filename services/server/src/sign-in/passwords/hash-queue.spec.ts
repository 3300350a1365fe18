import { describe, expect, it } from 'vitest';
import { HashQueue, type Lane } from './hash-queue.ts';

/** Work that ends when it is told to, and says when it began. */
function gate() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  let running = 0;
  let most = 0;
  return {
    begun,
    most: () => most,
    endOne: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      ends.shift()?.();
    },
    work: (name: string) => async () => {
      begun.push(name);
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running -= 1;
      return name;
    },
  };
}

describe('the queue of password hashing', () => {
  it('runs no more at once than it may, and all that it took', async () => {
    const queue = new HashQueue({ parallel: 2, waiting: 10 });
    const { work, endOne, most, begun } = gate();
    const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => queue.run('back', work(name))));
    for (let index = 0; index < 5; index += 1) await endOne();
    expect(await all).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect([most(), begun]).toEqual([2, ['a', 'b', 'c', 'd', 'e']]);
  });

  it('refuses at once what it cannot take, and lets the front lane through', async () => {
    const queue = new HashQueue({ parallel: 1, waiting: 2 });
    const { work, endOne, begun } = gate();
    const run = (lane: Lane, name: string) =>
      queue.run(lane, work(name)).catch((error: { code: string; fields: object }) => [error.code, error.fields]);
    const [first, second, third, fourth, known] = [
      run('back', '1'),
      run('back', '2'),
      run('back', '3'),
      run('back', '4'),
      run('front', 'known'),
    ];
    const overloaded = ['overloaded', { retryAfterSeconds: 3 }];
    expect(await fourth).toEqual(overloaded);
    expect(await third).toEqual(overloaded);
    for (let index = 0; index < 3; index += 1) await endOne();
    expect(await Promise.all([first, second, known])).toEqual(['1', '2', 'known']);
    expect(begun).toEqual(['1', 'known', '2']);
  });

  it('goes on after work that fails', async () => {
    const queue = new HashQueue({ parallel: 1, waiting: 1 });
    await expect(queue.run('back', () => Promise.reject(new Error('no memory')))).rejects.toThrow('no memory');
    expect(await queue.run('back', () => Promise.resolve('next'))).toBe('next');
  });
});
