import { parseArgs } from 'node:util';
import { revertByArguments } from '../confirm/revert-command.ts';
import { messageOf } from '../error-words.ts';
import { createLog } from '../log.ts';
import { runHelper } from './run-helper.ts';
import { HELPER_STATE_DIR } from './state-dir.ts';
import type { HelperKind } from './wire/protocol.ts';

/*
 * modfleet-helper: the part of the agent that may change kmods. One process a connection, with the courier on stdin and stdout (systemd gives
 * a socket, an agent without systemd two pipes), and its log on stderr. It listens on nothing, and has no network.
 */

const USAGE = `usage: modfleet-helper act|evidence [--config FILE] [--state DIR] [--host-id ID] [--apart]
       modfleet-helper revert [--state-dir DIR] [--by timer|boot|agent] [--cause CAUSE]
                       [--action ID] [--no-reboot]

Started by modfleet-helper.socket and modfleet-evidence.socket, or by the agent where there is no systemd. Not for people:
"modfleet-agent verdict" and "modfleet-agent check" say what would happen, and what stands in the way.
`;

/** A pipe that its reader has left: nobody listens any more, and what has begun goes on. */
function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error;
}

async function main(): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  if (first === 'revert') {
    process.exitCode = await revertByArguments(rest, { stateDir: HELPER_STATE_DIR, log: createLog('info') });
    return;
  }
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      state: { type: 'string' },
      'host-id': { type: 'string' },
      apart: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [kind] = positionals;
  if (values.help === true) {
    process.stdout.write(USAGE);
    return;
  }
  if (!isKind(kind) || positionals.length !== 1) {
    process.stderr.write(USAGE);
    process.exitCode = 2;
    return;
  }
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
  process.stdin.on('error', ignoreBrokenPipe);
  process.stdout.on('error', ignoreBrokenPipe);
  await runHelper({
    kind,
    config: values.config,
    stateDir: values.state ?? HELPER_STATE_DIR,
    hostId: values['host-id'],
    isApart: values.apart,
    input: process.stdin,
    output: process.stdout,
    log: createLog('info'),
    signal: stop.signal,
  });
  // What was said last is written before this ends; nothing else may keep it here.
  await new Promise<void>((resolve) => process.stdout.end(resolve));
  process.exit();
}

function isKind(word: string | undefined): word is HelperKind {
  return word === 'act' || word === 'evidence';
}

main().catch((error: unknown) => {
  process.stderr.write(`modfleet-helper: ${messageOf(error)}\n`);
  process.exit(1);
});
