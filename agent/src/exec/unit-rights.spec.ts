import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { asProperties, REVERT_RESTARTS, REVERT_RIGHTS } from './unit-rights.ts';

it('the revert at boot may what the revert of a timer may, and is started again as that is', () => {
  const unit = readFileSync(new URL('../../packaging/modfleet-revert.service', import.meta.url), 'utf8').split('\n');
  for (const line of [...REVERT_RIGHTS, ...REVERT_RESTARTS]) expect(unit).toContain(line);
  const bounding = unit.filter((line) => line.startsWith('CapabilityBoundingSet='));
  expect(bounding).toHaveLength(1);
});

it('each right is one argument of systemd-run', () => {
  expect(asProperties(['CapabilityBoundingSet=CAP_A CAP_B'])).toEqual(['--property=CapabilityBoundingSet=CAP_A CAP_B']);
});
