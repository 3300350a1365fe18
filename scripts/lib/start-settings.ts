import { parseArgs } from 'node:util';
import { createServer } from 'node:net';
import { ScriptError } from './program.ts';

export const START_HELP = `npm start [-- OPTIONS]: set everything up and run server, database and this machine's agent.

  --lab N            also boot N lab hosts (QEMU, real kernels, mode act)
  --swarm N          also bring up N simulated hosts, to see a big fleet (some 250 KB of memory each)
  --http HOST:PORT   the API's address (default 127.0.0.1:7780)
  --session H:P      where agents hold their session (default 127.0.0.1:7781)
  --identity H:P     where agents join (default 127.0.0.1:7782)
  --help             this text

DATABASE_URL set: that PostgreSQL is used instead of the embedded one.`;

export interface StartSettings {
  readonly lab: number;
  readonly swarm: number;
  readonly http: string;
  readonly session: string;
  readonly identity: string;
  readonly help: boolean;
}

const MOST_LAB_HOSTS = 20;
const MOST_SWARM_HOSTS = 20_000;

/** @throws ScriptError for an option that is not one, or a value that does not fit. */
export function startSettings(args: readonly string[]): StartSettings {
  const parsed = parse(args);
  return {
    lab: count('--lab', parsed.lab, MOST_LAB_HOSTS),
    swarm: count('--swarm', parsed.swarm, MOST_SWARM_HOSTS),
    http: address('--http', parsed.http ?? '127.0.0.1:7780'),
    session: address('--session', parsed.session ?? '127.0.0.1:7781'),
    identity: address('--identity', parsed.identity ?? '127.0.0.1:7782'),
    help: parsed.help ?? false,
  };
}

function count(option: string, text: string | undefined, most: number): number {
  const value = Number(text ?? '0');
  if (text?.trim() === '' || !Number.isInteger(value) || value < 0 || value > most)
    throw new ScriptError(`${option} takes a whole number from 0 to ${most}, not "${text}".`);
  return value;
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: { lab: text, swarm: text, http: text, session: text, identity: text, help: { type: 'boolean' } },
    }).values;
  } catch (error) {
    throw new ScriptError(`${error instanceof Error ? error.message : String(error)}\n\n${START_HELP}`);
  }
}

function address(option: string, value: string): string {
  const match = /^(\[[0-9a-f:]+\]|[^:\s]+):(\d{1,5})$/i.exec(value);
  if (match === null || Number(match[2]) > 65_535) throw new ScriptError(`${option} takes HOST:PORT, not "${value}".`);
  return value;
}

/** Says which option mends it when somebody else has the port already. */
export async function requireFreePort(option: string, value: string): Promise<void> {
  const at = value.lastIndexOf(':');
  const host = value.slice(0, at).replace(/^\[|\]$/g, '');
  const code = await new Promise<string | undefined>((done) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? 'EUNKNOWN'));
    server.listen(Number(value.slice(at + 1)), host, () => server.close(() => done(undefined)));
  });
  if (code === undefined) return;
  if (code === 'EADDRINUSE')
    throw new ScriptError(
      `${value} is in use by another program: stop it, or choose another with \`npm start -- ${option} HOST:PORT\`.`,
    );
  throw new ScriptError(
    `cannot listen on ${value} (${code}): choose another address with \`npm start -- ${option} HOST:PORT\`.`,
  );
}
