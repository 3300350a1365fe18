import { type ActionResult, Outcome, Verb } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import type { JournalRecord } from './journal/journal.ts';
import { Ledger, LEDGER_MAX_ENTRIES, TOMBSTONE_KEEP_MS } from './ledger.ts';
import { plainResult } from './plain-result.ts';
import { anIntent, anOkVerdict, aRequest, digestOf } from './testing/builders.ts';

const request = aRequest({ verb: Verb.VERB_UNLOAD });
const digest = digestOf(request);
const intent = anIntent(request, anOkVerdict(['rmmod', 'dummy']));

function result(outcome: Outcome): JournalRecord & { readonly result: ActionResult } {
  const value = plainResult(request, digest, outcome, '', '');
  return { kind: 'result', id: request.actionId, digest, expiresAtMs: request.expiresAtMs, result: value };
}

function tombstone(id: string, expiresAtMs = 0): JournalRecord {
  return { kind: 'tombstone', id, digest: 'd', outcome: Outcome.OUTCOME_SUCCEEDED, expiresAtMs };
}

describe('ledger', () => {
  it('knows an id through all of its life, and only under its digest', () => {
    const ledger = new Ledger();
    expect(ledger.look(request.actionId, digest)).toEqual({ kind: 'new' });
    ledger.add(intent);
    expect(ledger.look(request.actionId, digest).kind).toBe('open');
    expect(ledger.look(request.actionId, 'other').kind).toBe('conflict');
    ledger.add(result(Outcome.OUTCOME_SUCCEEDED));
    expect(ledger.look(request.actionId, digest)).toMatchObject({
      kind: 'answered',
      result: { outcome: Outcome.OUTCOME_SUCCEEDED },
    });
    expect(ledger.look(request.actionId, 'other').kind).toBe('conflict');
    ledger.add({ kind: 'tombstone', id: request.actionId, digest, outcome: Outcome.OUTCOME_SUCCEEDED, expiresAtMs: 0 });
    expect(ledger.look(request.actionId, digest)).toMatchObject({
      kind: 'answered',
      result: { outcome: Outcome.OUTCOME_SUCCEEDED },
    });
    expect(ledger.look(request.actionId, 'other').kind).toBe('conflict');
    expect(ledger.unacknowledged()).toEqual([]);
  });

  it('forgets a tombstone a day after its expiry, not before, and not without server time', () => {
    const ledger = new Ledger([tombstone('a', 1_000)]);
    expect(ledger.purge(undefined)).toBe(0);
    expect(ledger.purge({ ms: 1_000 + TOMBSTONE_KEEP_MS + 10, errorMs: 20 })).toBe(0);
    expect(ledger.purge({ ms: 1_000 + TOMBSTONE_KEEP_MS + 21, errorMs: 20 })).toBe(1);
    expect(ledger.look('a', 'd').kind).toBe('new');
  });

  it('is full at its bound', () => {
    const ledger = new Ledger(Array.from({ length: LEDGER_MAX_ENTRIES - 1 }, (_, index) => tombstone(`t${index}`)));
    expect(ledger.isFull()).toBe(false);
    ledger.add(tombstone('last'));
    expect(ledger.isFull()).toBe(true);
  });

  it('remembers a stuck action beyond its acknowledgement, until it ends after all', () => {
    const ledger = new Ledger([intent, result(Outcome.OUTCOME_STUCK)]);
    ledger.add({ kind: 'tombstone', id: request.actionId, digest, outcome: Outcome.OUTCOME_STUCK, expiresAtMs: 0 });
    const again = new Ledger(ledger.records());
    expect(again.stuckActions()).toEqual([{ intent, lastStep: 0 }]);
    expect(again.openActions()).toEqual([]);
    expect(again.unacknowledged()).toEqual([]);
    again.add(result(Outcome.OUTCOME_SUCCEEDED));
    expect(again.stuckActions()).toEqual([]);
    expect(again.unacknowledged().map((one) => one.outcome)).toEqual([Outcome.OUTCOME_SUCCEEDED]);
  });

  it('says the same after being written down and read again', () => {
    const ledger = new Ledger([
      intent,
      { kind: 'step', id: request.actionId, index: 1 },
      tombstone('t'),
      { kind: 'torn', id: 'lost' },
      { kind: 'kernel_died', id: 'x', bootId: 'b', detail: 'oops' },
    ]);
    const again = new Ledger(ledger.records());
    expect(again.openActions()).toEqual(ledger.openActions());
    expect(again.openActions()[0]?.lastStep).toBe(1);
    expect(again.look('lost', 'd').kind).toBe('torn');
    expect(again.diedIn('b')).toBe('oops');
    expect(again.diedIn('c')).toBeUndefined();
    expect(again.tombstonesDigest()).toEqual(ledger.tombstonesDigest());
  });

  it('has a tombstone digest that does not depend on order', () => {
    const one = new Ledger([tombstone('a'), tombstone('b')]);
    const other = new Ledger([tombstone('b'), tombstone('a')]);
    expect(one.tombstonesDigest()).toEqual(other.tombstonesDigest());
    expect(one.tombstonesDigest()).not.toEqual(new Ledger([tombstone('a')]).tombstonesDigest());
  });
});
