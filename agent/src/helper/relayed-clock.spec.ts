import { describe, expect, it } from 'vitest';
import { RelayedServerClock } from './relayed-clock.ts';
import { complaintAboutTime, complaintAboutWay } from './verify/request-grammar.ts';

const reading = { serverTimeMs: 1_767_225_600_000, errorMs: 5, boottimeMs: 1_000 };

describe('server time, told by the courier', () => {
  it('is carried forward by boot time, and nothing after five minutes', () => {
    const boot = { ms: 1_000, nowMs: () => boot.ms };
    const clock = new RelayedServerClock(boot);
    expect(clock.now()).toBeUndefined();
    clock.set(reading);
    boot.ms += 60_000;
    expect(clock.now()).toEqual({ ms: reading.serverTimeMs + 60_000, errorMs: 35 });
    boot.ms += 5 * 60_000;
    expect(clock.now()).toBeUndefined();
    // Another boot: its time begins anew.
    boot.ms = 10;
    expect(clock.now()).toBeUndefined();
  });

  it('is refused from the future, from before there were servers, and with an error that says nothing', () => {
    expect(complaintAboutTime(reading, 1_000)).toBeUndefined();
    expect(complaintAboutTime(reading, 900)).toContain('future');
    expect(complaintAboutTime({ ...reading, serverTimeMs: 1 }, 1_000)).toContain('2020');
    expect(complaintAboutTime({ ...reading, errorMs: 3_600_000 }, 1_000)).toContain('too wide');
  });
});

it('the way to the server is two addresses, and nothing else', () => {
  expect(complaintAboutWay({ remoteAddress: '192.0.2.1', localAddress: '' })).toBeUndefined();
  expect(complaintAboutWay({ remoteAddress: 'fe80::1%eth0', localAddress: '::1' })).toBeUndefined();
  expect(complaintAboutWay({ remoteAddress: 'server', localAddress: '' })).toBeDefined();
  expect(complaintAboutWay({ remoteAddress: '192.0.2.1', localAddress: '-x' })).toBeDefined();
});
