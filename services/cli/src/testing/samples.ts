import type { Action, Coverage, HostSummary, KmodHost, KmodHostList, Verdict } from '@modfleet/server/api-types';

export const AS_OF = '2026-11-22T14:03:22.000Z';
const SEEN = '2026-11-22T14:03:20.000Z';

/** A host's id from a small number. */
export function hostId(n: number): string {
  return `11111111-1111-4111-8111-${String(n).padStart(12, '0')}`;
}

export const coverage = (fields: Partial<Coverage> = {}): Coverage => ({
  total: 5,
  fresh: 4,
  stale: 0,
  silent: 1,
  incapable: 0,
  ...fields,
});

/** A host with the kmod loaded, nothing special about it. */
export function kmodHost(n: number, fields: Partial<KmodHost> = {}): KmodHost {
  return {
    host: { id: hostId(n), name: `web-${n}` },
    presence: 'loaded',
    known: true,
    coverage: 'fresh',
    observedAt: SEEN,
    ageMs: 2000,
    reason: null,
    kernelRelease: '6.1.0-56-amd64',
    loaded: {
      buildId: `1a2b3c4d${'0'.repeat(32)}`,
      size: 331776,
      taint: '',
      version: '3.2.6-k',
      srcversion: null,
      state: 'live',
    },
    fileDiffers: false,
    blocks: [],
    blocked: 'no',
    devices: [{ bus: 'pci', address: '0000:00:19.0', driver: 'e1000e', names: ['eno1'] }],
    ...fields,
  };
}

/** The fleet of the tests: two loaded builds, one built in, one on disk, one silent. */
export function e1000eHosts(fields: Partial<KmodHostList> = {}): KmodHostList {
  return {
    name: 'e1000e',
    requested: 'e1000e',
    resolvedBy: 'name',
    items: [
      kmodHost(1),
      kmodHost(2, {
        kernelRelease: '6.12.117+deb12-amd64',
        loaded: {
          buildId: `9f8e7d6c${'0'.repeat(32)}`,
          size: 331776,
          taint: 'OE',
          version: '3.8.4',
          srcversion: null,
          state: 'live',
        },
        fileDiffers: true,
        blocked: 'partly',
        blocks: [{ rung: 'blacklist', file: '/etc/modprobe.d/nic.conf', line: 3, detail: 'blacklist e1000e' }],
      }),
      kmodHost(3, { host: { id: hostId(3), name: 'db-1' }, presence: 'builtin', loaded: null, devices: [] }),
      kmodHost(4, {
        host: { id: hostId(4), name: 'db-2' },
        known: false,
        coverage: 'silent',
        observedAt: '2026-11-22T02:11:40.000Z',
        ageMs: 42_710_000,
        reason: 'not connected',
        blocked: null,
      }),
    ],
    nextCursor: null,
    counts: { loaded: 2, builtin: 1, onDisk: 1, absent: 0, unknown: 1 },
    lastSeen: { loaded: 1, builtin: 0, onDisk: 0, absent: 0 },
    selectorUnknown: 0,
    asOf: AS_OF,
    coverage: coverage(),
    freeze: null,
    ...fields,
  };
}

export function hostSummary(n: number, fields: Partial<HostSummary> = {}): HostSummary {
  const fresh = 'fresh' as const;
  return {
    id: hostId(n),
    name: `web-${n}`,
    labels: { env: 'prod' },
    mode: 'act',
    connected: true,
    connection: 'connected',
    lastSeenAt: SEEN,
    kernelRelease: '6.1.0-56-amd64',
    os: 'Debian GNU/Linux 12 (bookworm)',
    architecture: 'x86_64',
    agentVersion: '0.1.0',
    coverage: { loaded: fresh, parameters: fresh, available: fresh, devices: fresh, config: fresh },
    quarantineReason: null,
    retiredAt: null,
    revokedAt: null,
    caTrust: 'current',
    ...fields,
  };
}

export const ACTION_ID = '22222222-2222-4222-8222-222222222222';

export const verdict = (fields: Partial<Verdict> = {}): Verdict => ({
  allowed: true,
  decidedBy: 'ok',
  findings: [],
  plan: [{ kind: 'rmmod', kmod: 'floppy', parameters: [], because: 'asked for' }],
  reloadPaths: [{ kind: 'alias', value: 'pnp:dPNP0700*' }],
  ...fields,
});

/** An unload of floppy on web-1, just queued. */
export function action(fields: Partial<Action> = {}): Action {
  return {
    id: ACTION_ID,
    host: { id: hostId(1), name: 'web-1' },
    verb: 'unload',
    kmod: 'floppy',
    parameters: {},
    dryRun: false,
    reason: null,
    requestedBy: 'admin',
    createdAt: '2026-11-22T14:03:20.000Z',
    expiresAt: '2026-11-22T14:05:20.000Z',
    confirmWindow: null,
    overrides: [],
    confirm: null,
    state: 'queued',
    outcome: null,
    resolvedOutcome: null,
    message: '',
    verdict: null,
    result: null,
    canReturn: false,
    timeline: [{ at: '2026-11-22T14:03:20.000Z', state: 'queued', outcome: null, note: '' }],
    version: 1,
    freeze: null,
    ...fields,
  };
}

/** The same, done. */
export function unloaded(fields: Partial<Action> = {}): Action {
  return action({
    state: 'ended',
    outcome: 'succeeded',
    message: 'floppy is unloaded; an alias can bring it back.',
    verdict: verdict(),
    canReturn: true,
    version: 4,
    result: {
      steps: [{ kind: 'rmmod', kmod: 'floppy', exitCode: 0, stderr: '', errno: '', durationMs: 140, verified: true }],
      reasonCode: '',
      loadedAfter: false,
      taintBefore: 0,
      taintAfter: 0,
      kernelLog: [],
      reloadPaths: [{ kind: 'alias', value: 'pnp:dPNP0700*' }],
    },
    timeline: [
      { at: '2026-11-22T14:03:20.000Z', state: 'queued', outcome: null, note: '' },
      { at: '2026-11-22T14:03:20.100Z', state: 'dispatched', outcome: null, note: '' },
      { at: '2026-11-22T14:03:20.400Z', state: 'ended', outcome: 'succeeded', note: 'seen in /proc/modules' },
    ],
    ...fields,
  });
}
