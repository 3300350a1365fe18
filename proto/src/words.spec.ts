import { describe, expect, it } from 'vitest';
import { FindingLayer, Outcome, Verb } from '../gen/modfleet/types/v1/action.ts';
import { diagnosisBytes } from './envelopes.ts';
import { FINDING_CODES, FINDINGS, compareFindings, findingLayer, isFindingCode } from './findings.ts';
import { JoinStringError, formatJoinString, parseJoinString } from './join-string.ts';
import {
  ALL_OUTCOME_WORDS,
  isFinal,
  isResolvable,
  isSuccess,
  isTerminal,
  outcomeFromWord,
  outcomeWord,
  verbFromWord,
} from './outcomes.ts';

describe('outcomes', () => {
  it('have words that lead back to them', () => {
    for (const word of ALL_OUTCOME_WORDS) expect(outcomeWord(outcomeFromWord(word) ?? 0)).toBe(word);
    expect(outcomeFromWord('done')).toBeUndefined();
    expect(outcomeWord(0)).toBeUndefined();
    expect(outcomeWord(99)).toBeUndefined();
  });

  it('are final but for unconfirmed and stuck, and only two are success', () => {
    const all = Object.values(Outcome);
    expect(all.filter((outcome) => isTerminal(outcome) && !isFinal(outcome))).toEqual([
      Outcome.OUTCOME_UNCONFIRMED,
      Outcome.OUTCOME_STUCK,
    ]);
    expect(all.filter(isResolvable)).toEqual([Outcome.OUTCOME_UNCONFIRMED, Outcome.OUTCOME_STUCK]);
    expect(all.filter(isSuccess)).toEqual([Outcome.OUTCOME_SUCCEEDED, Outcome.OUTCOME_UNCHANGED]);
  });
});

describe('verbs', () => {
  it('are found by word', () => {
    expect(verbFromWord('reload')).toBe(Verb.VERB_RELOAD);
    expect(verbFromWord('force')).toBeUndefined();
  });
});

describe('findings', () => {
  it('are unique, each in a layer', () => {
    expect(new Set(FINDING_CODES).size).toBe(FINDING_CODES.length);
    expect(FINDINGS.filter((finding) => finding.layer === FindingLayer.FINDING_LAYER_KERNEL)).toHaveLength(17);
    expect(findingLayer('in_use')).toBe(FindingLayer.FINDING_LAYER_KERNEL);
    expect(isFindingCode('in_use')).toBe(true);
    expect(isFindingCode('nope')).toBe(false);
  });

  it('follow the kernel where it decides first', () => {
    const order = ['modules_disabled', 'builtin', 'not_found', 'busy', 'held_by', 'in_use', 'permanent'] as const;
    expect([...order].sort(compareFindings)).toEqual(order);
  });
});

describe('join strings', () => {
  const token = `mfj_${'a'.repeat(43)}`;
  const caFingerprint = Buffer.alloc(32, 7);

  it('carry token and pin', () => {
    const parsed = parseJoinString(` ${formatJoinString({ token, caFingerprint })}\n`);
    expect(parsed.token).toBe(token);
    expect(Buffer.from(parsed.caFingerprint)).toEqual(caFingerprint);
  });

  it.each([
    '',
    'x',
    token,
    `${token}.short`,
    `${token}.${'a'.repeat(43)}.x`,
    `mfl_${'a'.repeat(43)}.${'a'.repeat(43)}`,
  ])('refuse %j without repeating it', (text) => {
    expect(() => parseJoinString(text)).toThrow(JoinStringError);
    if (text.length > 10) expect(() => parseJoinString(text)).not.toThrow(text.slice(4, 20));
  });
});

describe('diagnosisBytes', () => {
  it('binds nonce, status and time', () => {
    const bytes = Buffer.from(diagnosisBytes(Buffer.alloc(32, 1), 2, 3));
    expect(bytes.toString('latin1').startsWith('modfleet-diagnosis-v1\0')).toBe(true);
    expect(bytes.subarray(-9)).toEqual(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 3]));
  });
});
