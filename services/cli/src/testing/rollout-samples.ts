import type {
  ControlledRollout,
  PlanTarget,
  Rollout,
  RolloutCounts,
  RolloutItem,
  RolloutPlan,
  RolloutTarget,
  RolloutWave,
} from '@modfleet/server/api-types';
import { hostId } from './samples.ts';

export const PLAN_ID = '33333333-3333-4333-8333-333333333333';
export const ROLLOUT_ID = '44444444-4444-4444-8444-444444444444';
export const HASH = 'a1'.repeat(32);

const ref = (n: number, name = `web-${n}`) => ({ id: hostId(n), name });

/** Forty hosts asked about an unload of floppy: all kinds of answers. */
export function plan(fields: Partial<RolloutPlan> = {}): RolloutPlan {
  return {
    id: PLAN_ID,
    state: 'ready',
    verb: 'unload',
    kmod: 'floppy',
    parameters: {},
    confirmWindow: null,
    overrides: [],
    selector: 'env=prod',
    reason: 'CVE-2026-1',
    requestedBy: 'kim',
    createdAt: '2026-11-22T14:03:00.000Z',
    answersUntil: '2026-11-22T14:03:30.000Z',
    readyAt: '2026-11-22T14:03:04.000Z',
    expiresAt: '2026-11-23T14:03:00.000Z',
    hash: HASH,
    counts: { total: 40, wouldChange: 31, unchanged: 5, refused: 3, unknown: 1, asked: 0 },
    unknownInSelector: 2,
    newMatches: [ref(50)],
    classes: [
      {
        class: 0,
        standing: 'would_change',
        digest: 'ab12',
        steps: [{ kind: 'rmmod', kmod: 'floppy', parameters: [], because: 'asked for' }],
        overrides: [],
        reloadPaths: [{ kind: 'alias', value: 'pnp:dPNP0700*' }],
        hosts: 28,
        sample: [ref(1), ref(2), ref(3), ref(4)],
      },
      {
        class: 1,
        standing: 'would_change',
        digest: 'cd34',
        steps: [
          { kind: 'rmmod', kmod: 'fdtool', parameters: [], because: 'it uses floppy' },
          { kind: 'rmmod', kmod: 'floppy', parameters: [], because: 'asked for' },
        ],
        overrides: [],
        reloadPaths: [{ kind: 'unknown', value: '/etc/modprobe.d/site.conf cannot be read' }],
        hosts: 3,
        sample: [ref(31, 'db-1'), ref(32, 'db-2'), ref(33, 'db-3')],
      },
      {
        class: 2,
        standing: 'unchanged',
        digest: 'ef56',
        steps: [],
        overrides: [],
        reloadPaths: [],
        hosts: 5,
        sample: [ref(41), ref(42)],
      },
    ],
    refusals: [
      {
        code: 'in_use',
        message: 'floppy has 1 reference',
        evidence: [{ kind: 'mount', value: '/dev/fd0 on /mnt' }],
        hosts: 2,
        retried: true,
        sample: [ref(34), ref(35)],
      },
      {
        code: 'denied_by_host_policy',
        message: 'mode is observe',
        evidence: [{ kind: 'file', value: '/etc/modfleet/agent.yaml' }],
        hosts: 1,
        retried: false,
        sample: [ref(36)],
      },
    ],
    unknowns: [{ code: 'no_answer', message: 'it was not connected', hosts: 1, sample: [ref(40)] }],
    rollouts: [],
    freeze: null,
    ...fields,
  };
}

/** The same plan, just created: nobody has answered. */
export function asking(answered = 0): RolloutPlan {
  const counts = { total: 40, wouldChange: answered, unchanged: 0, refused: 0, unknown: 0, asked: 40 - answered };
  return plan({
    state: 'asking',
    readyAt: null,
    hash: null,
    counts,
    classes: [],
    refusals: [],
    unknowns: [],
    newMatches: [],
    unknownInSelector: 0,
  });
}

export function planTarget(n: number, fields: Partial<PlanTarget> = {}): PlanTarget {
  return {
    host: ref(n),
    standing: 'refused',
    code: 'in_use',
    message: 'floppy has 1 reference',
    evidence: [{ kind: 'mount', value: '/dev/fd0 on /mnt' }],
    class: null,
    kernelRelease: '6.1.0-56-amd64',
    hardware: 'vm',
    action: '22222222-2222-4222-8222-222222222222',
    ...fields,
  };
}

export const counts = (fields: Partial<RolloutCounts> = {}): RolloutCounts => ({
  total: 40,
  pending: 0,
  waiting: 0,
  dispatched: 0,
  ended: {},
  unhealthy: 0,
  ...fields,
});

export function wave(n: number, fields: Partial<RolloutWave> = {}): RolloutWave {
  return {
    wave: n,
    canary: false,
    state: 'pending',
    counts: counts(),
    startedAt: null,
    bakeUntil: null,
    endedAt: null,
    ...fields,
  };
}

const FIRST_WAVE = wave(0, {
  canary: true,
  state: 'ended',
  counts: counts({ total: 2, ended: { succeeded: 2 } }),
  startedAt: '2026-11-22T14:03:05.000Z',
  endedAt: '2026-11-22T14:03:15.000Z',
});

/** In its second wave: 4 hosts done, 2 under way. */
export function rollout(fields: Partial<Rollout> = {}): Rollout {
  return {
    id: ROLLOUT_ID,
    plan: PLAN_ID,
    parent: null,
    state: 'running',
    message: 'Wave 1 is under way; floppy is unloaded on 4 of 40 hosts; 2 under way.',
    verb: 'unload',
    kmod: 'floppy',
    parameters: {},
    confirmWindow: null,
    selector: 'env=prod',
    reason: 'CVE-2026-1',
    requestedBy: 'kim',
    createdAt: '2026-11-22T14:03:05.000Z',
    startedAt: '2026-11-22T14:03:05.000Z',
    endedAt: null,
    deadlineAt: '2026-11-22T16:03:05.000Z',
    options: {
      waves: ['10%', '100%'],
      canary: true,
      concurrency: 2,
      bake: 300,
      budget: { whole: { failed: '2%', unreachable: '5%' }, wave: {} },
      onBudget: 'pause',
      deadline: 7200,
      offline: 'wait',
      order: { by: 'random', seed: 17 },
      requireApproval: false,
    },
    hash: HASH,
    approval: null,
    wave: 1,
    waves: [
      FIRST_WAVE,
      wave(1, {
        state: 'running',
        counts: counts({ total: 4, dispatched: 2, ended: { succeeded: 1, unchanged: 1 } }),
        startedAt: '2026-11-22T14:03:15.000Z',
      }),
      wave(2, { counts: counts({ total: 34, pending: 34 }) }),
    ],
    counts: counts({ pending: 34, dispatched: 2, ended: { succeeded: 3, unchanged: 1 } }),
    failures: [],
    budget: [
      { scope: 'whole', kind: 'failed', limit: 0, count: 0, exceeded: false },
      { scope: 'whole', kind: 'unreachable', limit: 2, count: 0, exceeded: false },
    ],
    canReturn: 2,
    rollback: null,
    version: 7,
    freeze: null,
    ...fields,
  };
}

/** Paused by its budget: one host failed. */
export function paused(fields: Partial<Rollout> = {}): Rollout {
  return rollout({
    state: 'paused',
    message:
      'Paused; floppy is unloaded on 5 of 40 hosts. Nothing more is sent. Over its budget: 1 failed in all, budget 0.',
    waves: [
      FIRST_WAVE,
      wave(1, { state: 'running', counts: counts({ total: 4, ended: { succeeded: 2, unchanged: 1, failed: 1 } }) }),
      wave(2, { counts: counts({ total: 34, pending: 34 }) }),
    ],
    counts: counts({ pending: 34, ended: { succeeded: 4, unchanged: 1, failed: 1 } }),
    failures: [
      {
        kind: 'failed',
        code: 'rejected_by_kernel',
        message: 'rmmod ended with EBUSY',
        hosts: 1,
        sample: [ref(7)],
      },
    ],
    budget: [
      { scope: 'whole', kind: 'failed', limit: 0, count: 1, exceeded: true },
      { scope: 'whole', kind: 'unreachable', limit: 2, count: 0, exceeded: false },
    ],
    version: 9,
    ...fields,
  });
}

/** Every host as asked; on most of them it can return. */
export function succeeded(fields: Partial<Rollout> = {}): Rollout {
  return rollout({
    state: 'succeeded',
    message: 'Floppy is unloaded on 40 of 40 hosts, as far as every one of them reported. It can return on 33 of them.',
    endedAt: '2026-11-22T14:10:00.000Z',
    wave: 2,
    waves: [
      FIRST_WAVE,
      wave(1, { state: 'ended', counts: counts({ total: 4, ended: { succeeded: 3, unchanged: 1 } }) }),
      wave(2, { state: 'ended', counts: counts({ total: 34, ended: { succeeded: 30, unchanged: 4 } }) }),
    ],
    counts: counts({ ended: { succeeded: 35, unchanged: 5 } }),
    canReturn: 33,
    version: 30,
    ...fields,
  });
}

export function rolloutTarget(n: number, fields: Partial<RolloutTarget> = {}): RolloutTarget {
  return {
    host: ref(n),
    wave: 1,
    state: 'ended',
    wait: null,
    outcome: 'failed',
    resolvedOutcome: null,
    late: false,
    code: 'rejected_by_kernel',
    message: 'rmmod ended with EBUSY',
    evidence: [],
    attempts: 1,
    action: '22222222-2222-4222-8222-222222222222',
    health: [],
    healthSeen: false,
    rollback: null,
    startedAt: '2026-11-22T14:03:16.000Z',
    endedAt: '2026-11-22T14:03:17.000Z',
    ...fields,
  };
}

/** The answer to pause, resume and so on. */
export function controlled(taken: boolean, item: Rollout): ControlledRollout {
  const { freeze, alarm: _alarm, ...fields } = item;
  const bare: RolloutItem = fields;
  return { taken, rollout: bare, freeze };
}
