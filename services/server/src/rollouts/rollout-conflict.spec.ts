import { describe, expect, it } from 'vitest';
import { rolloutVerb } from './plan/plan.schema.ts';
import { oppositesOf } from './rollout-conflict.ts';

describe('opposite verbs', () => {
  it.each([
    ['load', ['unload', 'ensure_unloaded']],
    ['set_parameters', ['unload', 'ensure_unloaded']],
    ['ensure_unloaded', ['load', 'ensure_loaded', 'reload', 'set_parameters']],
  ] as const)('of %s', (verb, opposites) => {
    expect([...oppositesOf(verb)].sort()).toEqual([...opposites].sort());
  });

  it('are so both ways', () => {
    for (const one of rolloutVerb.options)
      for (const other of rolloutVerb.options)
        expect(oppositesOf(one).includes(other)).toBe(oppositesOf(other).includes(one));
  });
});
