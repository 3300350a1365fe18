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
  ])('changes with %o', (change) => {
    expect(hex({ ...request, ...change })).not.toBe(hex(request));
  });

  it('leaves the request as it is', () => {
    const parameters = ['b=2', 'a=1'];
    requestDigest({ ...request, parameters });
    expect(parameters).toEqual(['b=2', 'a=1']);
  });
});
