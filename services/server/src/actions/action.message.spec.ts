import { ALL_OUTCOME_WORDS } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { canReturn, describe as sentenceOf, type Described } from './action.message.ts';

const QUEUED: Described = {
  state: 'queued',
  outcome: null,
  resolvedOutcome: null,
  verb: 'unload',
  kmod: 'floppy',
  hostName: 'web-3',
  hostConnected: true,
  dryRun: false,
  expiresAt: new Date('2026-01-01T00:02:00Z'),
  endedAt: null,
  cancelRequestedAt: null,
  cancelledBy: null,
  confirmWindowSeconds: 0,
  confirmDeadline: null,
  confirmOfferedAt: null,
  hostMessage: null,
  verdict: null,
  result: null,
};
const WITH_PLAN: Described['verdict'] = {
  allowed: false,
  decidedBy: 'denied_by_host_policy',
  findings: [],
  plan: [{ kind: 'unload', kmod: 'floppy', parameters: [], because: 'asked for' }],
  reloadPaths: [],
};
const NO_PATHS = {
  steps: [],
  reasonCode: '',
  loadedAfter: false,
  taintBefore: 0,
  taintAfter: 0,
  kernelLog: [],
  reloadPaths: [],
};
const PATHS = {
  ...NO_PATHS,
  reloadPaths: [
    { kind: 'alias', value: 'platform:floppy' },
    { kind: 'device', value: 'fd0' },
  ],
};

const UNKNOWN = { kind: 'unknown', value: 'modules.alias cannot be read (EIO)' };

describe('the sentence of an action', () => {
  it.each([
    [{}, 'Not sent yet; web-3 is connected. Dropped if not sent by 2026-01-01 00:02:00 UTC.'],
    [
      { hostConnected: false },
      'Not sent: web-3 is not connected. Dropped if that does not change by 2026-01-01 00:02:00 UTC.',
    ],
    [{ state: 'dispatched' }, 'Sent to web-3, not yet confirmed.'],
    [
      { state: 'received', cancelRequestedAt: new Date(0), cancelledBy: 'ops' },
      'web-3 has it; not started yet. ops asked to cancel it; web-3 has not answered that.',
    ],
    [{ state: 'started' }, 'Started on web-3; not finished yet.'],
    [{ state: 'ended', outcome: 'succeeded', result: NO_PATHS }, 'floppy is unloaded on web-3, seen in /proc/modules.'],
    [
      { state: 'ended', outcome: 'succeeded', result: PATHS },
      'floppy is unloaded on web-3, seen in /proc/modules. It can return: alias platform:floppy and 1 more.',
    ],
    [
      { state: 'ended', outcome: 'succeeded', result: { ...NO_PATHS, reloadPaths: [UNKNOWN] } },
      'floppy is unloaded on web-3, seen in /proc/modules. Whether it can return is not known: modules.alias cannot be read (EIO).',
    ],
    [
      { state: 'ended', outcome: 'succeeded', result: { ...NO_PATHS, reloadPaths: [...PATHS.reloadPaths, UNKNOWN] } },
      'floppy is unloaded on web-3, seen in /proc/modules. It can return: alias platform:floppy and 1 more.',
    ],
    [
      { state: 'ended', outcome: 'succeeded', dryRun: true, result: PATHS },
      'Dry run on web-3: it would be done; nothing was touched.',
    ],
    [
      { state: 'ended', outcome: 'refused', hostMessage: 'floppy is in use.' },
      'Refused by web-3, nothing was touched: floppy is in use.',
    ],
    [
      { state: 'ended', outcome: 'refused', dryRun: true, hostMessage: 'mode is observe', verdict: WITH_PLAN },
      'Dry run on web-3: refused as the host is set up, and for nothing else: mode is observe.',
    ],
    [
      { state: 'ended', outcome: 'unconfirmed', endedAt: new Date('2026-01-01T00:03:00Z') },
      'Unconfirmed: it was sent to web-3 and no result came. It may have run; look at floppy on the host.',
    ],
    [
      { state: 'ended', outcome: 'unconfirmed', endedAt: new Date('2026-01-01T00:01:00Z') },
      'Unconfirmed: a new epoch of commands ended it before a result of web-3 was known here, and it is not sent again. It may have run; look at floppy on the host.',
    ],
    [
      { state: 'ended', outcome: 'unconfirmed', resolvedOutcome: 'succeeded', result: NO_PATHS },
      'First unconfirmed; a later report of web-3 says: floppy is unloaded on web-3, seen in /proc/modules.',
    ],
  ] as const)('%j', (change, expected) => {
    expect(sentenceOf({ ...QUEUED, ...change } as Described)).toBe(expected);
  });

  it('never calls an unload mitigated or blocked, whatever the outcome', () => {
    for (const outcome of ALL_OUTCOME_WORDS) {
      const said = sentenceOf({ ...QUEUED, state: 'ended', outcome, result: PATHS });
      expect(said).not.toMatch(/mitigat|block|safe/i);
    }
  });
});

describe('canReturn', () => {
  it('is true of an unload that is done with a way back, and of nothing else', () => {
    const done = { ...QUEUED, state: 'ended', outcome: 'succeeded', result: PATHS } as const;
    expect(canReturn(done)).toBe(true);
    expect(canReturn({ ...done, outcome: 'unconfirmed', resolvedOutcome: 'succeeded' })).toBe(true);
    expect(canReturn({ ...done, result: NO_PATHS })).toBe(false);
    expect(canReturn({ ...done, result: { ...NO_PATHS, reloadPaths: [UNKNOWN] } })).toBe(true);
    expect(canReturn({ ...done, dryRun: true })).toBe(false);
    expect(canReturn({ ...done, verb: 'reload' })).toBe(false);
    expect(canReturn({ ...done, outcome: 'failed' })).toBe(false);
  });
});
