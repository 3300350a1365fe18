import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { asProperties, REVERT_RIGHTS } from './unit-rights.ts';

it('the revert at boot may what the revert of a timer may', () => {
  const unit = readFileSync(new URL('../../packaging/modfleet-revert.service', import.meta.url), 'utf8').split('\n');
  for (const right of REVERT_RIGHTS) expect(unit).toContain(right);
  const bounding = unit.filter((line) => line.startsWith('CapabilityBoundingSet='));
  expect(bounding).toHaveLength(1);
});

it('each right is one argument of systemd-run', () => {
  expect(asProperties(['CapabilityBoundingSet=CAP_A CAP_B'])).toEqual(['--property=CapabilityBoundingSet=CAP_A CAP_B']);
});
