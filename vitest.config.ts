import { defineConfig } from 'vitest/config';
import { LabOrder } from './tests/e2e/support/lab-order.ts';

/** They put a clock of their own in the place of the world's: what another file left running must not come upon it. */
const OWN_CLOCK = [
  'agent/src/facets/host-inventory.spec.ts',
  'agent/src/session/session.spec.ts',
  'agent/src/watch/uevent-watch.spec.ts',
  'lab/src/host/control-channel.spec.ts',
  'services/server/src/agent-session/move/lingering.spec.ts',
  'services/server/src/ingest/flush-loop.spec.ts',
  'services/server/src/streaming/event-stream.spec.ts',
];

/** Three tiers (docs/layout.md): unit beside the source without I/O, integration on real Postgres, e2e as a black box. */
export default defineConfig({
  test: {
    sequence: { sequencer: LabOrder },
    projects: [
      {
        test: {
          name: 'unit',
          // Loading the same libraries anew for each file took nine tenths of the time, and a fifth of the integration tests'.
          isolate: false,
          // Property tests on a loaded machine; a test that hangs still ends.
          testTimeout: 30_000,
          include: ['{proto,agent,services,lab,scripts,bench,tests}/**/*.spec.ts'],
          exclude: ['**/node_modules/**', '**/dist/**', ...OWN_CLOCK],
        },
      },
      { test: { name: 'unit-own-clock', include: OWN_CLOCK, testTimeout: 30_000 } },
      {
        test: {
          name: 'integration',
          isolate: false,
          // Half of their time they wait: for a database, for hosts, for time to pass.
          maxWorkers: 2,
          globalSetup: ['services/server/src/testing/shared-postgres.ts'],
          include: ['{agent,services}/**/*.itest.ts'],
          exclude: ['**/node_modules/**', '**/dist/**'],
          // A test that hangs still ends; one on a machine with other work does not.
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['tests/e2e/local/**/*.e2e.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          // Each file has a server and a database of its own; the emulated hosts of the lab, beside it, want the other core.
          maxWorkers: 1,
        },
      },
      {
        test: {
          name: 'containers',
          include: ['tests/e2e/{cluster,compose}/**/*.e2e.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'lab',
          include: ['tests/e2e/lab/**/*.e2e.ts'],
          // Emulated hosts, at times on half a processor: it ends what hangs.
          testTimeout: 2_400_000,
          hookTimeout: 1_800_000,
          // Each file has hosts and a server of its own; an emulated host keeps one core busy.
          maxWorkers: 2,
        },
      },
    ],
  },
});
