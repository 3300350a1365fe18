import { runByName } from './lib/named-runs.ts';
import { runMain } from './lib/program.ts';

/** `npm run proof -- NAME`: what needs many repetitions, at full count; CI runs a few of every case. */
await runMain(() =>
  runByName(
    'proof',
    {
      kills: {
        about:
          'agent and server killed at random moments of actions; 100 rounds (--rounds N, --minutes N, --seed N, --series 6.1|6.12)',
        run: async (args) => (await import('../bench/proof-kills.ts')).proveKills(args),
      },
    },
    process.argv.slice(2),
  ),
);
