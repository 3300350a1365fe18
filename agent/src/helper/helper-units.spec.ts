import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CONFIRM_WINDOW_MAX_S } from '@modfleet/proto';
import { STILL_AT_WORK_MS } from '../confirm/confirm.machine.ts';
import { SERVES_MS } from './helper-connection.ts';

const limitOf = (unit: string): number => {
  const text = readFileSync(new URL(`../../packaging/${unit}`, import.meta.url), 'utf8');
  return Number(/^RuntimeMaxSec=(\d+)$/m.exec(text)?.[1]) * 1000;
};

it('a helper’s unit leaves its last action the time that it may take', () => {
  // Two windows and the longest wait for a revert; half an hour for the steps.
  const longest = 2 * CONFIRM_WINDOW_MAX_S * 1000 + STILL_AT_WORK_MS + 1_800_000;
  expect(limitOf('modfleet-helper@.service')).toBeGreaterThanOrEqual(SERVES_MS.act + longest);
  expect(limitOf('modfleet-evidence@.service')).toBeGreaterThanOrEqual(2 * SERVES_MS.evidence);
});
