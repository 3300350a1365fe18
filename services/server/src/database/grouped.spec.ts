import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DatabaseUnavailableError } from './database.errors.ts';
import { Grouped } from './grouped.ts';

describe('calls in groups', () => {
  const groups: string[][] = [];
  const grouped = (max: number, fails?: (calls: readonly string[]) => unknown, breathMs = 0) => {
    groups.length = 0;
    return new Grouped<string, string>({
      max,
      breathMs,
      keyOf: (call) => call.split(':')[0] ?? '',
      run: async (calls) => {
        groups.push([...calls]);
        await delay(5);
        const failure = fails?.(calls);
        if (failure !== undefined) throw failure as Error;
        return calls.map((call) => `${call}!`);
      },
    });
  };

  it('answers each call its own answer, those that come together in one group', async () => {
    const calls = grouped(10);
    expect(await Promise.all(['a', 'b', 'c'].map((call) => calls.call(call)))).toEqual(['a!', 'b!', 'c!']);
    expect(await calls.call('d')).toBe('d!');
    expect(groups).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it('takes a breath after a group of several, so that the next is of more; one that comes alone waits for nobody', async () => {
    const calls = grouped(10, undefined, 60);
    const first = ['a', 'b'].map((call) => calls.call(call));
    const later = ['c', 'd'].map((call, at) => delay(10 * (at + 1)).then(() => calls.call(call)));
    expect(await Promise.all([...first, ...later])).toEqual(['a!', 'b!', 'c!', 'd!']);
    expect(groups).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    // Were it to wait, this test would be over its time.
    const patient = grouped(10, undefined, 3_600_000);
    expect([await patient.call('e'), await patient.call('f')]).toEqual(['e!', 'f!']);
  });

  it('takes no more than the most, and no two of one key, in one group; order of a key is kept', async () => {
    const calls = grouped(2);
    await Promise.all(['a:1', 'a:2', 'b:1', 'c:1', 'a:3'].map((call) => calls.call(call)));
    expect(groups).toEqual([['a:1', 'b:1'], ['a:2', 'c:1'], ['a:3']]);
  });

  it('runs the others again, each alone, when one breaks the group', async () => {
    const calls = grouped(10, (them) => (them.includes('bad') ? new Error('bad') : undefined));
    const ended = await Promise.allSettled(['a', 'bad', 'c'].map((call) => calls.call(call)));
    expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(groups).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c']]);
  });

  it('does not run again what the database has no time for', async () => {
    const calls = grouped(10, () => new DatabaseUnavailableError(new Error('away')));
    const ended = await Promise.allSettled(['a', 'b'].map((call) => calls.call(call)));
    expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(groups).toHaveLength(1);
  });
});
