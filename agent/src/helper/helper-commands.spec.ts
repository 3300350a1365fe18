import { type ActionRequest, Outcome, UNSIGNED } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { encodeJournal } from '../actions/journal/journal-codec.ts';
import { JournalUnavailableError } from '../actions/journal/journal.ts';
import { MemoryJournal } from '../actions/journal/memory-journal.ts';
import { plainResult } from '../actions/plain-result.ts';
import { digestOf } from '../actions/testing/builders.ts';
import { say } from './testing/say.ts';
import { HelperWorld } from './testing/helper-world.ts';
import { type CourierWord, encodeCourierWord, type HelperWord } from './wire/strict-codec.ts';

const B = '00000000-0000-4000-8000-00000000000b';

/** Each over a connection of its own, as a courier that was taken over can replay what it has recorded. */
async function submit(world: HelperWorld, ...requests: readonly ActionRequest[]): Promise<HelperWord[]> {
  const words: CourierWord[] = requests.map((value) => ({ $case: 'submit', value }));
  return say(world, [encodeCourierWord(world.opening()), ...words.map(encodeCourierWord)]);
}

class UnreadableJournal extends MemoryJournal {
  override open(): never {
    throw new JournalUnavailableError(this.place, 'EIO: i/o error');
  }
}

const rejections = (words: readonly HelperWord[]): string[] =>
  words.flatMap((word) => (word.$case === 'rejected' ? [word.value.code] : []));
const outcomes = (words: readonly HelperWord[]): Outcome[] =>
  words.flatMap((word) => (word.$case === 'result' ? [word.value.outcome] : []));
const newestIn = (words: readonly HelperWord[]) =>
  words.flatMap((word) => (word.$case === 'book' ? [word.value.newestCommand] : [])).at(-1);

describe('commands of a server', () => {
  it('are taken, noted before they begin, and told with the book', async () => {
    const world = new HelperWorld();
    let noted: string | undefined;
    world.prepare = (host) => (host.beforeStep = () => void (noted = world.newest.newest?.actionId));
    const request = world.request();
    const words = await submit(world, request);
    expect(outcomes(words)).toEqual([Outcome.OUTCOME_SUCCEEDED]);
    expect(noted).toBe(request.actionId);
    expect(newestIn(words)).toEqual(request);
  });

  it('are refused where they cannot be noted, and nothing is begun', async () => {
    const world = new HelperWorld();
    world.newest.isFull = true;
    expect(rejections(await submit(world, world.request()))).toEqual(['command_unkept']);
    expect(world.kernel.effects).toEqual([]);
    world.newest.isFull = false;
    expect(outcomes(await submit(world, world.request()))).toEqual([Outcome.OUTCOME_SUCCEEDED]);
  });

  it('are refused when nobody signed them: the server comes first in an upgrade', async () => {
    const world = new HelperWorld();
    const words = await submit(world, { ...world.request(), ...UNSIGNED });
    expect(rejections(words)).toEqual(['unsigned']);
    expect(JSON.stringify(words)).toContain('upgrade the server first');
    expect(world.kernel.effects).toEqual([]);
  });

  it('begin once: a recorded frame is answered from the journal, and refused when the journal is lost', async () => {
    const world = new HelperWorld();
    const recorded = world.request();
    await submit(world, recorded);
    const replayed = await submit(world, recorded);
    expect(new Set(outcomes(replayed))).toEqual(new Set([Outcome.OUTCOME_SUCCEEDED]));
    expect(world.kernel.effects).toHaveLength(1);
    // The next command, then the journal is moved away: what was recorded is old all the same.
    await submit(world, world.request({ actionId: B, kmod: 'tun' }));
    world.journal = new MemoryJournal();
    expect(rejections(await submit(world, recorded))).toEqual(['sequence_used']);
    expect(world.kernel.effects).toHaveLength(2);
  });

  it('of one number are one command', async () => {
    const world = new HelperWorld();
    const first = world.request();
    await submit(world, first);
    world.journal = new MemoryJournal();
    const other = world.request({ actionId: B, sequence: first.sequence });
    expect(rejections(await submit(world, other))).toEqual(['sequence_used']);
    expect(world.kernel.effects).toHaveLength(1);
  });

  it('that were noted and not begun (the helper was killed in between) begin when they come again', async () => {
    const world = new HelperWorld();
    const request = world.request();
    world.newest.newest = request;
    expect(outcomes(await submit(world, { ...request, sentBefore: true }))).toEqual([Outcome.OUTCOME_SUCCEEDED]);
    expect(world.kernel.effects).toHaveLength(1);
  });

  it('of an older epoch are refused, dry runs too', async () => {
    const world = new HelperWorld();
    const old = world.request({ actionId: B, kmod: 'tun' });
    await submit(world, world.request({ epoch: 2, sequence: 1 }));
    expect(rejections(await submit(world, old))).toEqual(['epoch_stale']);
    const dry = world.request({ actionId: B, kmod: 'tun', dryRun: true });
    const words = await say(
      world,
      [encodeCourierWord(world.opening()), encodeCourierWord({ $case: 'submit', value: dry })],
      'evidence',
    );
    expect(rejections(words)).toEqual(['epoch_stale']);
    expect(world.kernel.effects).toHaveLength(1);
  });

  it('for another host are refused, and so are those of the host that this machine was before it joined anew', async () => {
    const world = new HelperWorld();
    const foreign = world.request({ hostId: '00000000-0000-4000-8000-0000000000ff' });
    expect(rejections(await submit(world, foreign))).toEqual(['wrong_host']);
    expect(world.kernel.effects).toEqual([]);
  });

  it('of the host that this machine was hold nothing up after it joined anew', async () => {
    const world = new HelperWorld();
    world.newest.newest = world.request({ hostId: '00000000-0000-4000-8000-0000000000ff', epoch: 3, sequence: 99 });
    expect(outcomes(await submit(world, world.request()))).toEqual([Outcome.OUTCOME_SUCCEEDED]);
  });

  it('that may have been done are not called untouched when the journal cannot tell', async () => {
    const world = new HelperWorld();
    world.journal = new UnreadableJournal();
    const forged = { ...world.request(), kmod: 'tun', sentBefore: true };
    expect(rejections(await submit(world, forged))).toEqual(['not_known']);
    expect(world.kernel.effects).toEqual([]);
  });

  it('are known again by an agent that wrote them down before it knew signatures', async () => {
    const world = new HelperWorld();
    const { epoch: _e, sequence: _s, notBeforeMs: _n, ...rest } = world.request();
    const asItWas = { ...rest, ...UNSIGNED };
    const digest = digestOf(asItWas);
    const result = plainResult(asItWas, digest, Outcome.OUTCOME_SUCCEEDED, '', '');
    const { actionId: id, expiresAtMs } = asItWas;
    world.journal = new MemoryJournal(encodeJournal([{ kind: 'result', id, digest, expiresAtMs, result }]));
    const words = await submit(world, world.request());
    expect(words.filter((word) => word.$case === 'result').map((word) => word.value)).toEqual([result, result]);
    expect(world.kernel.effects).toEqual([]);
  });
});
