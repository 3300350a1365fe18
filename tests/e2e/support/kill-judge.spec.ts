import { expect, it } from 'vitest';
import { judge, type KillEvidence } from './kill-judge.ts';

const done: KillEvidence = {
  verb: 'reload',
  state: 'ended',
  outcome: 'succeeded',
  loadedAfter: true,
  loaded: true,
  inits: 1,
  exits: 1,
  stillOpen: 0,
};
const unload: KillEvidence = { ...done, verb: 'unload', loaded: false, loadedAfter: false, inits: 0 };

it.each([
  ['a reload that was done', done],
  ['an unload that was done', unload],
  [
    'an unload cut short before its effect',
    { ...unload, outcome: 'interrupted', exits: 0, loaded: true, loadedAfter: true },
  ],
  ['an unload that expired', { ...unload, outcome: 'expired', exits: 0, loaded: true, loadedAfter: null }],
])('finds nothing wrong with %s', (_what, seen: KillEvidence) => {
  expect(judge(seen)).toEqual([]);
});

it.each([
  ['not ended', { ...done, state: 'started' }],
  ['another action open', { ...done, stillOpen: 1 }],
  ['an effect that came twice', { ...done, inits: 2 }],
  ['a result that lies about the end', { ...done, loadedAfter: false }],
  ['a success that was not', { ...unload, exits: 0, loaded: true, loadedAfter: true }],
  ['an expiry that touched the host', { ...unload, outcome: 'expired' }],
  ['an interruption of what was done', { ...unload, outcome: 'interrupted' }],
  ['a harmless kmod called stuck', { ...done, outcome: 'stuck' }],
])('sees %s', (_what, seen: KillEvidence) => {
  expect(judge(seen)).not.toEqual([]);
});
