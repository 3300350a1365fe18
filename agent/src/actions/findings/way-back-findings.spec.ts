import { Verb } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { ACT, aFile, aQuestion, type FactChanges, loaded, someFacts } from '../testing/builders.ts';
import type { ConfigObstacle, Stake } from './facts.ts';
import { decide } from './verdict.ts';

const inWindow = aQuestion({ confirmWindowSeconds: 120 });
const overriding = aQuestion({ confirmWindowSeconds: 120, overrides: ['route'] });

const stake = (kind: Stake['kind'], restorable?: false): Stake => ({
  kind,
  message: `${kind} stands on it`,
  evidence: [],
  ...(restorable === undefined ? {} : { restorable }),
});
const facts = (changes: FactChanges) => someFacts({ loaded: loaded(), ...changes });
const block: ConfigObstacle = { kind: 'block', kmod: 'dummy', where: 'x.conf:1: install dummy /bin/false' };

const NOT_AGAIN: [string, string, FactChanges][] = [
  ['no tree', 'release_files_missing', { tree: { missing: '/lib/modules/6.1.0 does not exist', file: undefined } }],
  ['no file', 'release_files_missing', { tree: { file: undefined } }],
  ['a file that is gone', 'release_files_missing', { tree: { file: aFile('dummy', { present: false }) } }],
  ['a file that cannot be read', 'release_files_missing', { tree: { file: aFile('dummy', { unread: 'EIO' }) } }],
  [
    'a dependency that is gone',
    'release_files_missing',
    { tree: { dependencies: [aFile('dep', { present: false })] } },
  ],
  [
    'signatures',
    'signature_required',
    { kernel: { sigEnforce: true }, tree: { file: aFile('dummy', { signed: false }) } },
  ],
  ['lockdown', 'lockdown', { kernel: { lockdown: 'integrity' }, tree: { file: aFile('dummy', { signed: false }) } }],
  ['another release', 'wrong_release', { tree: { file: aFile('dummy', { builtFor: '5.10.0' }) } }],
  ['missing symbols', 'symbol_missing', { tree: { file: aFile('dummy', { lacking: ['gone'] }) } }],
  ['a block', 'blocked', { reloadObstacles: [block] }],
  ['module_blacklist=', 'blocked', { reloadObstacles: [{ kind: 'kernel_blacklist', kmod: 'dummy', where: 'x' }] }],
  ['a command', 'custom_command', { reloadObstacles: [{ kind: 'custom', kmod: 'dummy', where: 'x' }] }],
  ['a redirect', 'custom_command', { reloadObstacles: [{ kind: 'redirect', kmod: 'dummy', where: 'x' }] }],
];

describe('a confirm window for what could not be loaded again', () => {
  it.each(NOT_AGAIN)('is refused where its revert is all that protects: %s', (_, code, changes) => {
    for (const [question, kind] of [
      [inWindow, 'interface'],
      [overriding, 'route'],
    ] as const) {
      const verdict = decide(question, facts({ ...changes, stakes: [stake(kind)] }), ACT, []);
      expect([verdict.allowed, verdict.decidedBy, verdict.plan]).toEqual([false, code, []]);
      expect(verdict.findings[0]?.message).toContain('a confirm window');
    }
  });

  it.each(NOT_AGAIN)('is a note where nothing is at stake: %s', (_, code, changes) => {
    const verdict = decide(inWindow, facts(changes), ACT, []);
    expect([verdict.allowed, verdict.decidedBy]).toEqual([true, 'ok']);
    expect(verdict.findings.map((finding) => [finding.code, finding.refuses])).toEqual([[code, false]]);
  });

  it.each(NOT_AGAIN)('is no matter without a window: %s', (_, _code, changes) => {
    expect(decide(aQuestion(), facts(changes), ACT, [])).toMatchObject({ decidedBy: 'ok', findings: [] });
  });

  it('says that it could not be put back, or that nobody knows', () => {
    const said = (changes: FactChanges) =>
      decide(inWindow, facts({ ...changes, stakes: [stake('interface')] }), ACT, []).findings[0]?.message;
    expect(said({ reloadObstacles: [block] })).toContain(
      'dummy could not be loaded again, so a confirm window could not put it back',
    );
    expect(said({ tree: { file: aFile('dummy', { unread: 'EIO' }) } })).toContain('not known');
  });

  it('is a note where no revert would bring back what is at stake', () => {
    const verdict = decide(inWindow, facts({ reloadObstacles: [block], stakes: [stake('interface', false)] }), ACT, []);
    expect(verdict.decidedBy).toBe('ok');
    expect(verdict.findings.map((finding) => finding.code)).toEqual(['blocked', 'needs_confirm_window']);
  });

  it('leaves a plain blacklist line alone: a load by name passes it', () => {
    const soft: ConfigObstacle = { kind: 'soft_blacklist', kmod: 'dummy', where: 'x.conf:1: blacklist dummy' };
    expect(
      decide(inWindow, facts({ reloadObstacles: [soft], stakes: [stake('interface')] }), ACT, []).findings,
    ).toEqual([expect.objectContaining({ code: 'needs_confirm_window', refuses: false })]);
  });
});

describe('what a confirm window promises', () => {
  const message = (one: Stake): string | undefined =>
    decide(overriding, facts({ stakes: [one] }), ACT, []).findings[0]?.message;

  it.each(['interface', 'route'] as const)('no more than it can for %s', (kind) => {
    expect(message(stake(kind))).toContain('or the host puts back what it can');
  });

  it('nothing for what no revert brings back', () => {
    expect(message(stake('interface', false))).toBe('interface stands on it; a confirm window does not put this back');
  });
});

it('a reload is refused where nobody knows whether its file would load', () => {
  const verdict = decide(
    aQuestion({ verb: Verb.VERB_RELOAD }),
    facts({ tree: { file: aFile('dummy', { unread: 'dummy.ko cannot be read (EIO)' }) } }),
    ACT,
    [],
  );
  expect(verdict).toMatchObject({ allowed: false, decidedBy: 'release_files_missing' });
  expect(verdict.findings[0]?.message).toContain('cannot be told: dummy.ko cannot be read (EIO)');
});
