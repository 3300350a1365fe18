import { type ActionRequest, Verb } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { aRequest, HOST_ID } from '../testing/builders.ts';
import { questionsOf } from './questions.ts';

const WORDS = new Map<unknown, string>([
  [Verb.VERB_LOAD, 'load'],
  [Verb.VERB_UNLOAD, 'unload'],
  [Verb.VERB_RELOAD, 'reload'],
  [Verb.VERB_SET_PARAMETERS, 'set'],
]);

function asked(changes: Partial<ActionRequest>): string[] {
  const questions = questionsOf(aRequest(changes), HOST_ID);
  if (typeof questions === 'string') throw new Error(questions);
  return questions.map(({ verb, kmod, parameters }) =>
    [WORDS.get(verb) ?? String(verb), kmod, ...parameters].join(' '),
  );
}

const UNDO = [
  { kind: 'unpersist', kmod: 'a', parameters: [] },
  { kind: 'unload', kmod: 'b', parameters: [] },
  { kind: 'load', kmod: 'c', parameters: ['x=1'] },
  { kind: 'set_parameters', kmod: 'd', parameters: ['y=2'] },
  { kind: 'persist', kmod: 'e', parameters: [] },
];

describe('the questions of an action', () => {
  it.each<[Partial<ActionRequest>, string[]]>([
    [{ verb: Verb.VERB_LOAD, parameters: ['a=1'] }, ['load dummy a=1']],
    [{ verb: Verb.VERB_RELOAD }, ['reload dummy']],
    [{ verb: Verb.VERB_ENSURE_LOADED, parameters: ['a=1'] }, ['load dummy a=1', 'persist dummy']],
    [{ verb: Verb.VERB_ENSURE_UNLOADED }, ['unpersist dummy', 'unload dummy']],
    [{ verb: Verb.VERB_ENSURE_UNLOADED, confirmWindowSeconds: 60 }, ['unload dummy', 'unpersist dummy']],
    [{ verb: Verb.VERB_SET_PARAMETERS, parameters: ['a=1', 'b=2'] }, ['set dummy a=1 b=2']],
    [{ verb: Verb.VERB_RESTORE, undo: UNDO }, ['unpersist a', 'unload b', 'load c x=1', 'set d y=2', 'persist e']],
    [
      { verb: Verb.VERB_RESTORE, undo: UNDO, confirmWindowSeconds: 60 },
      ['unload b', 'load c x=1', 'set d y=2', 'unpersist a', 'persist e'],
    ],
  ])('of %j are %j', (changes, questions) => {
    expect(asked(changes)).toEqual(questions);
  });

  it.each<[Partial<ActionRequest>, RegExp]>([
    [{ hostId: '00000000-0000-4000-8000-0000000000ff' }, /meant for host/],
    [{ kmod: 'a-b' }, /canonical form/],
    [{ parameters: ['a=b c'] }, /is no parameter/],
    [{ parameters: ['a=1', 'a=2'] }, /given twice/],
    [{ verb: Verb.VERB_UNLOAD, parameters: ['a=1'] }, /takes no parameters/],
    [{ verb: Verb.VERB_ENSURE_UNLOADED, parameters: ['a=1'] }, /takes no parameters/],
    [{ verb: Verb.VERB_SET_PARAMETERS }, /no parameters to set/],
    [{ verb: Verb.VERB_RESTORE }, /no undo steps/],
    [{ verb: Verb.VERB_RESTORE, undo: UNDO, parameters: ['a=1'] }, /in its undo steps/],
    [{ verb: Verb.VERB_LOAD, undo: UNDO }, /only a restore/],
    [{ verb: Verb.VERB_RESTORE, undo: [{ kind: 'rm -rf', kmod: 'a', parameters: [] }] }, /not known/],
    [{ verb: Verb.VERB_RESTORE, undo: [{ kind: 'load', kmod: '../a', parameters: [] }] }, /kmod/],
    [{ verb: Verb.VERB_RESTORE, undo: [{ kind: 'unload', kmod: 'a', parameters: ['a=1'] }] }, /no parameters/],
    [{ verb: Verb.VERB_RESTORE, undo: [{ kind: 'set_parameters', kmod: 'a', parameters: [] }] }, /no parameters/],
    [{ verb: Verb.VERB_RESTORE, undo: Array.from({ length: 129 }, () => UNDO[1]!) }, /at most 128/],
    [{ confirmWindowSeconds: 5 }, /seconds/],
    [{ overrides: ['storage'] }, /not known/],
  ])('are none of %j', (changes, why) => {
    expect(questionsOf(aRequest(changes), HOST_ID)).toMatch(why);
  });
});
