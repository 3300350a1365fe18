import { runByName } from './lib/named-runs.ts';
import { runMain } from './lib/program.ts';
import { importServerSources } from './lib/server-sources.ts';

/** `npm run bench -- NAME`: measures this machine; figures beside what they have to reach. */
await runMain(() =>
  runByName(
    'bench',
    {
      'first-light': {
        about: 'start, change to answer, freeze, memory, lab boot (--only PART[,PART])',
        run: async (args) => (await import('../bench/first-light.ts')).benchFirstLight(args),
      },
      audit: {
        about: 'actions a second with the audit log and without, sealing, verifying (--rounds N, --verify-rows N)',
        run: async (args) => {
          importServerSources();
          return (await import('../bench/audit.ts')).benchAudit(args);
        },
      },
      agent: {
        about: "the agent's memory, CPU, traffic and start beside other agents (--only lab|native, --minutes N)",
        run: async (args) => (await import('../bench/agent.ts')).benchAgent(args),
      },
      replicas: {
        about:
          'three servers: actions for hosts held elsewhere, one killed under load (--bus postgres,nats --only arrive,kill --hosts N)',
        run: async (args) => {
          importServerSources();
          return (await import('../bench/replicas.ts')).benchReplicas(args);
        },
      },
      storage: {
        about:
          'a fleet in the store: pages, counts, history, bytes, ingest (--hosts N, --distinct 5,30,100 or none, --events-per-host N, --no-ingest, --dry-run: keeps nothing)',
        run: async (args) => {
          importServerSources();
          return (await import('../bench/storage.ts')).benchStorage(args);
        },
      },
      fleet: {
        about:
          'thousands of simulated hosts on one server: memory, CPU, joins, questions, changes, storms (--hosts N, --only PART[,PART], --growth)',
        run: async (args) => (await import('../bench/fleet.ts')).benchFleet(args),
      },
      rollout: {
        about:
          'plans and rollouts over thousands of simulated hosts: nothing to do, budget, stop (--hosts N, --only PART[,PART], --dry-run: keeps nothing)',
        run: async (args) => (await import('../bench/rollout.ts')).benchRollout(args),
      },
      peers: {
        about:
          'which hosts have a kmod, beside clush, pdsh and ansible over ssh on as many hosts (--hosts N, --runs N)',
        run: async (args) => (await import('../bench/peers.ts')).benchPeers(args),
      },
      export: {
        about: 'lists given whole by processes with small heaps; skew and events of a large fleet (--rows N, --sets N)',
        run: async (args) => (await import('../bench/export.ts')).benchExport(args),
      },
      signing: {
        about: 'commands: signed, verified, signed and stored',
        run: async () => (await import('../bench/signing.ts')).benchSigning(),
      },
      page: {
        about: 'draws docs/figures.html from what was measured (measures nothing)',
        run: async () => (await import('../bench/page.ts')).drawPage(),
      },
    },
    process.argv.slice(2),
  ),
);
