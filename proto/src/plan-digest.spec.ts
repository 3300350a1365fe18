import { describe, expect, it } from 'vitest';
import { type Finding, FindingLayer, type PlanStep } from '../gen/modfleet/types/v1/action.ts';
import { planDigest } from './plan-digest.ts';

const step = (change: Partial<PlanStep> = {}): PlanStep => ({
  kind: 'rmmod',
  kmod: 'dummy',
  parameters: [],
  because: 'asked for',
  ...change,
});
const finding = (code: string, kind: string, value: string, refuses = false): Finding => ({
  layer: FindingLayer.FINDING_LAYER_POLICY,
  code,
  refuses,
  message: value,
  evidence: [{ kind, value }],
});
const hex = (plan: PlanStep[], findings: Finding[] = [], alsoTried: string[] = []): string =>
  Buffer.from(planDigest({ plan, findings }, alsoTried)).toString('hex');

describe('planDigest', () => {
  it.each<[string, PlanStep[], Finding[]]>([
    ['kind', [step({ kind: 'modprobe' })], []],
    ['kmod', [step({ kmod: 'other' })], []],
    ['parameters', [step({ parameters: ['a=1'] })], []],
    ['number', [step(), step({ kmod: 'other' })], []],
    ['risk', [step()], [finding('needs_confirm_window', 'interface', 'eth0')]],
    ['overrides', [step()], [finding('protected', 'interface', 'eth0')]],
  ])('changes with the %s', (_what, plan, findings) => {
    expect(hex(plan, findings)).not.toBe(hex([step()]));
  });

  it('keeps the order of steps and of parameters', () => {
    expect(hex([step(), step({ kmod: 'b' })])).not.toBe(hex([step({ kmod: 'b' }), step()]));
    expect(hex([step({ parameters: ['a=1', 'b=1'] })])).not.toBe(hex([step({ parameters: ['b=1', 'a=1'] })]));
  });

  it('counts what loads along, in any order', () => {
    expect(hex([step()], [], ['x', 'y'])).toBe(hex([step()], [], ['y', 'x']));
    expect(hex([step()], [], ['x'])).not.toBe(hex([step()]));
  });

  it('knows kinds of loss, not their names', () => {
    const one = hex([step()], [finding('needs_confirm_window', 'interface', 'eth0')]);
    expect(hex([step()], [finding('needs_confirm_window', 'interface', 'ens3')])).toBe(one);
    expect(hex([step()], [finding('needs_confirm_window', 'mount', '/srv')])).not.toBe(one);
  });

  it('does not count words, nor what is no risk', () => {
    expect(hex([step({ because: 'else' })], [finding('blocked', 'config', 'a.conf:1')])).toBe(hex([step()]));
  });

  it('of nothing to do is always the same', () => {
    expect(hex([], [finding('needs_confirm_window', 'interface', 'eth0')], ['x'])).toBe(hex([]));
    expect(hex([])).toHaveLength(64);
  });
});
