import { runByName } from './lib/named-runs.ts';
import { runMain } from './lib/program.ts';
import { importServerSources } from './lib/server-sources.ts';

/** `npm run proof -- NAME`: what needs many repetitions, at full count; CI runs a few of every case. */
await runMain(() =>
  runByName(
    'proof',
    {
      once: {
        about:
          'server, journal and recovery in one simulation: frames lost, repeated, reordered, crashes anywhere, clocks set, hosts asleep; 20,000 worlds (--runs N, --seed N, --path P)',
        run: async (args) => (await import('../bench/proof-once.ts')).proveOnce(args),
      },
      journal: {
        about: 'the last record of the action journal cut, zeroed, flipped; 1,000 mutations (--runs N, --seed N)',
        run: async (args) => (await import('../bench/proof-journal.ts')).proveJournal(args),
      },
      'fuzz-http': {
        about:
          'calls of every role from the running server’s OpenAPI document, as documented, nearly so and hostile; 10,000 a role (--calls N, --role R, --seed N)',
        run: async (args) => (await import('../bench/proof-fuzz-http.ts')).proveFuzzHttp(args),
      },
      'fuzz-grpc': {
        about:
          'broken TLS, HTTP/2 frames, gRPC frames and messages on both listeners for agents, beside a host that must notice nothing; 10,000 attacks (--attacks N, --seed N)',
        run: async (args) => (await import('../bench/proof-fuzz-grpc.ts')).proveFuzzGrpc(args),
      },
      confirm: {
        about:
          'the network driver under the agent’s own connection goes, five cases on three kinds of network; 50 rounds, added to those that bench/results/proof-confirm.json has (--rounds N, --minutes N, --case C, --network N, --series 6.1|6.12, --fresh)',
        run: async (args) => (await import('../bench/proof-confirm.ts')).proveConfirm(args),
      },
      audit: {
        about:
          'the audit log changed, cut, reordered, forged, rolled back with every right in the database; 1,000 mutations (--runs N, --seed N)',
        run: async (args) => {
          importServerSources();
          return (await import('../bench/proof-audit.ts')).proveAudit(args);
        },
      },
      rollouts: {
        about:
          'servers killed in the middle of rollouts, over 100 seeds; PostgreSQL away for 30 s; hosts and servers in network namespaces with a bad or cut line between them (--seeds N, --first N, --hosts N, --only kills,faults,partition)',
        run: async (args) => {
          importServerSources();
          return (await import('../bench/proof-rollouts.ts')).proveRollouts(args);
        },
      },
      kills: {
        about:
          'agent killed before and after each record and step of an action, agent and server killed at random moments; 200 rounds (--rounds N, --minutes N, --seed N, --series 6.1|6.12)',
        run: async (args) => (await import('../bench/proof-kills.ts')).proveKills(args),
      },
    },
    process.argv.slice(2),
  ),
);
