import { expect, it } from 'vitest';
import type { KmodEvent } from '@modfleet/proto';
import { EventBuffer } from './event-buffer.ts';

const event = (kmod: string, ageMs = 0): KmodEvent => ({ kmod, kind: 1, ageMs, actionId: '', source: 'poll' });

it('events keep their order, and grow old while they wait', () => {
  const boot = { ms: 1000, nowMs: () => boot.ms };
  const buffer = new EventBuffer(boot);
  buffer.push({ events: [event('a', 100), event('b')], lost: false });
  boot.ms = 3000;
  expect(buffer.shift()).toEqual({ events: [event('a', 2100), event('b', 2000)], lost: false });
  expect(buffer.shift()).toBeUndefined();
});

it('what does not fit goes, oldest first, and that is said once', () => {
  const buffer = new EventBuffer({ nowMs: () => 0 });
  buffer.push({ events: Array.from({ length: 2100 }, (_unused, index) => event(`k${index}`)), lost: false });
  const messages = [];
  for (let message = buffer.shift(); message !== undefined; message = buffer.shift()) messages.push(message);
  expect(messages.map(({ events, lost }) => [events[0]?.kmod, events.length, lost])).toEqual([
    ['k100', 500, true],
    ['k600', 500, false],
    ['k1100', 500, false],
    ['k1600', 500, false],
  ]);
});

it('a loss alone is told too', () => {
  const buffer = new EventBuffer({ nowMs: () => 0 });
  buffer.push({ events: [], lost: true });
  expect(buffer.shift()).toEqual({ events: [], lost: true });
});
