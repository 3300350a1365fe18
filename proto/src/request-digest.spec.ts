import { describe, expect, it } from 'vitest';
import { ActionRequest, Verb } from '../gen/modfleet/types/v1/action.ts';
import { UNSIGNED } from './command-signature.ts';
import { requestDigest, requestDigestBeforeSignatures } from './request-digest.ts';

const request: ActionRequest = {
  actionId: 'a',
  hostId: 'h',
  verb: Verb.VERB_LOAD,
  kmod: 'dummy',
  parameters: ['a=1', 'b=2'],
  dryRun: false,
  expiresAtMs: 1,
  confirmWindowSeconds: 0,
  overrides: [],
  ...UNSIGNED,
};
const hex = (value: ActionRequest): string => Buffer.from(requestDigest(value)).toString('hex');

describe('requestDigest', () => {
  it('does not depend on the order of parameters', () => {
    expect(hex({ ...request, parameters: ['b=2', 'a=1'] })).toBe(hex(request));
  });

  it('does not say how often it was sent', () => {
    expect(hex({ ...request, sentBefore: true })).toBe(hex(request));
  });

  it.each<Partial<ActionRequest>>([
    { actionId: 'x' },
    { hostId: 'x' },
    { verb: Verb.VERB_UNLOAD },
    { kmod: 'x' },
    { parameters: ['a=1'] },
    { dryRun: true },
    { expiresAtMs: 2 },
    { confirmWindowSeconds: 60 },
    { overrides: ['route'] },
    { epoch: 1 },
    { sequence: 1 },
    { notBeforeMs: 1 },
    { undo: [{ kind: 'load', kmod: 'dummy', parameters: [] }] },
    { approvedPlans: [Buffer.alloc(32)] },
  ])('changes with %o', (change) => {
    expect(hex({ ...request, ...change })).not.toBe(hex(request));
  });

  it('depends on the order of undo steps, and not on that of approved plans', () => {
    const [one, other] = ['a', 'b'].map((kmod) => ({ kind: 'load', kmod, parameters: ['z=1', 'a=1'] }));
    if (one === undefined || other === undefined) throw new Error('two steps');
    expect(hex({ ...request, undo: [one, other] })).not.toBe(hex({ ...request, undo: [other, one] }));
    const [first, second] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    expect(hex({ ...request, approvedPlans: [first, second] })).toBe(
      hex({ ...request, approvedPlans: [second, first] }),
    );
  });

  it('does not say who signed it', () => {
    expect(hex({ ...request, signature: Buffer.alloc(64, 1), commandCertificate: Buffer.alloc(9) })).toBe(hex(request));
  });

  it('is what an agent of before signatures computes, where it leaves out what that does not know', () => {
    // Of the release before: the digest of this request, as it was.
    const numbered = { ...request, epoch: 3, sequence: 7, notBeforeMs: 9, approvedPlans: [Buffer.alloc(32)] };
    expect(Buffer.from(requestDigestBeforeSignatures(numbered)).toString('hex')).toBe(hex(request));
    expect(hex(request)).toBe('0859f4c019e66720b1777d4fdfb27dbed3bf01b3b54ffecc2ed2fb1983e474a7');
  });

  it('leaves the request as it is', () => {
    const parameters = ['b=2', 'a=1'];
    requestDigest({ ...request, parameters });
    expect(parameters).toEqual(['b=2', 'a=1']);
  });
});
