import { describe, expect, it } from 'vitest';
import { encodeJournal } from '../actions/journal/journal-codec.ts';
import type { Disk } from '../actions/journal/disk.ts';
import { SimulatedDisk } from '../actions/testing/simulated-disk.ts';
import { journalTroubles } from './journal-trouble.ts';

const whole = encodeJournal([
  { kind: 'torn', id: 'a' },
  { kind: 'step', id: 'b', index: 1 },
]);

function disk(text: string | Error | undefined): Disk {
  const simulated = new SimulatedDisk();
  simulated.read = async () => {
    if (text instanceof Error) throw text;
    return text === undefined ? undefined : Buffer.from(text);
  };
  return simulated;
}

async function troubles(text: string | Error | undefined): Promise<{ stops: boolean; message: string }[]> {
  return journalTroubles(['/var/lib/modfleet'], disk(text));
}

describe('what is wrong with the action journal', () => {
  it.each([
    ['nothing, where there is none', undefined],
    ['nothing, where it is whole', whole],
    ['nothing that can be told, where it may not be read', Object.assign(new Error('EACCES'), { code: 'EACCES' })],
  ])('is %s', async (_what, text) => {
    expect(await troubles(text)).toEqual([]);
  });

  it.each([
    [false, 'the last line', whole.slice(0, -5)],
    [false, 'the last record', whole.slice(0, whole.indexOf('"index":1'))],
    [false, 'the end', `${whole}\0\0\0`],
    [true, 'damaged at line 2', whole.replace('"torn"', '"born"')],
    [true, 'cannot be read: EIO', new Error('EIO')],
  ])('is told: stops %s, %s', async (stops, words, text) => {
    expect(await troubles(text)).toEqual([{ stops, message: expect.stringContaining(words) }]);
  });
});
