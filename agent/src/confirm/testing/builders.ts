import type { HostSnapshot } from '../snapshot/host-snapshot.ts';
import { type RevertReport, WINDOW_FORMAT, type WindowPlan } from '../window-plan.ts';

/** A host on which nothing is to be put back. */
export const NOTHING: HostSnapshot = { links: [], addresses: [], routes: [], rules: [], settings: [], kmods: [] };

/** A window of 30 s of action `a1`, to its end at 30 s of boot time. */
export function aPlan(changes: Partial<WindowPlan> = {}): WindowPlan {
  return {
    format: WINDOW_FORMAT,
    actionId: 'a1',
    kmod: 'virtio_net',
    bootId: 'boot-1',
    windowSeconds: 30,
    deadlineBootMs: 30_000,
    deadlineServerMs: 1,
    agent: { pid: 42, startTicks: '1' },
    rebootToRecover: false,
    server: { host: '', port: 0 },
    snapshot: NOTHING,
    ...changes,
  };
}

/** All was put back, by the timer. */
export function aReport(changes: Partial<RevertReport> = {}): RevertReport {
  return {
    format: WINDOW_FORMAT,
    actionId: 'a1',
    cause: 'no_server',
    by: 'timer',
    restored: [],
    missing: [],
    rebootedToRecover: false,
    waitsForServer: false,
    ...changes,
  };
}
