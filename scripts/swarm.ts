import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { countsLine } from '../bench/swarm/counts-line.ts';
import { makeJoinStrings } from '../bench/swarm/join-strings.ts';
import { Swarm } from '../bench/swarm/swarm.ts';
import { connectApi } from './lib/api.ts';
import { build } from './lib/make.ts';
import { stateFolder } from './lib/paths.ts';
import { ScriptError, runMain } from './lib/program.ts';

const HELP = `npm run swarm -- [OPTIONS]: simulated hosts on the server that \`npm start\` runs in this folder, or another. Ctrl-C ends them.

  --hosts N          how many (default 100)
  --processes N      processes that they are spread over (default: one a core)
  --seed N           the same hosts again for the same number (default 1)
  --changes N        kmods loaded or unloaded by somebody, a second, over all hosts (default 0)
  --vanish N         hosts that go for up to 20 s, a second (default 0)
  --fails P          chance from 0 to 1 that a load or unload fails in its routine (default 0)
  --hangs P          chance that one never returns (default 0)
  --url URL          the API (default: the running \`npm start\`)
  --token-file FILE  an admin's API token
  --identity H:P     where agents join (default 127.0.0.1:7782)`;

interface Settings {
  readonly hosts: number;
  readonly processes: number;
  readonly seed: number;
  readonly changes: number;
  readonly vanish: number;
  readonly fails: number;
  readonly hangs: number;
  readonly url: string;
  readonly token: string;
  readonly identity: { readonly host: string; readonly port: number };
}

function settingsOf(args: readonly string[]): Settings | undefined {
  const text = { type: 'string' } as const;
  const options = {
    hosts: text,
    processes: text,
    seed: text,
    changes: text,
    vanish: text,
    fails: text,
    hangs: text,
    url: text,
    'token-file': text,
    identity: text,
    help: { type: 'boolean' },
  } as const;
  let values;
  try {
    ({ values } = parseArgs({ args: [...args], options }));
  } catch (error) {
    throw new ScriptError(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  }
  if (values.help === true) return undefined;
  const number = (option: keyof typeof options, otherwise: number, most: number, whole = true): number => {
    const given = values[option];
    if (given === undefined) return otherwise;
    const value = Number(given);
    if (
      typeof given !== 'string' ||
      given.trim() === '' ||
      !(value >= 0 && value <= most) ||
      (whole && !Number.isInteger(value))
    )
      throw new ScriptError(
        `--${option} takes a${whole ? ' whole' : ''} number from 0 to ${most}, not "${String(given)}".`,
      );
    return value;
  };
  const identity = /^([^\s:]+):(\d{1,5})$/.exec(values.identity ?? '127.0.0.1:7782');
  if (identity === null) throw new ScriptError(`--identity takes HOST:PORT, not "${values.identity ?? ''}".`);
  const tokenFile = values['token-file'] ?? join(stateFolder, 'server', 'admin-token');
  if (!existsSync(tokenFile))
    throw new ScriptError(
      `there is no ${tokenFile}: start a server with \`npm start\` in this folder, or name another with --url and --token-file.`,
    );
  return {
    hosts: number('hosts', 100, 100_000),
    processes: number('processes', availableParallelism(), 64),
    seed: number('seed', 1, 1_000_000),
    changes: number('changes', 0, 100_000, false),
    vanish: number('vanish', 0, 10_000, false),
    fails: number('fails', 0, 1, false),
    hangs: number('hangs', 0, 1, false),
    url: (values.url ?? runningUrl()).replace(/\/+$/, ''),
    token: readFileSync(tokenFile, 'utf8').trim(),
    identity: { host: identity[1] ?? '', port: Number(identity[2]) },
  };
}

/** Where this folder's `npm start` has its API. */
function runningUrl(): string {
  const file = join(stateFolder, 'cli.yaml');
  const url = existsSync(file) ? /^url: (\S+)$/m.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
  return url ?? 'http://127.0.0.1:7780';
}

await runMain(async () => {
  const settings = settingsOf(process.argv.slice(2));
  if (settings === undefined) {
    console.log(HELP);
    return 0;
  }
  await build();
  const { hosts, processes, seed } = settings;
  const joinStrings = await makeJoinStrings(connectApi(settings.url, settings.token), hosts, seed);
  const swarm = Swarm.start({
    server: { host: settings.identity.host, identityPort: settings.identity.port },
    joinStrings,
    hosts,
    processes: Math.max(1, Math.min(processes, hosts)),
    seed,
    odds: {
      fails: settings.fails,
      hangs: settings.hangs,
      changesPerSecond: settings.changes,
      vanishPerSecond: settings.vanish,
    },
  });
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  const terminal = process.stderr.isTTY === true;
  let told = '';
  while (!stop.signal.aborted) {
    await delay(1_000, undefined, { signal: stop.signal }).catch(() => undefined);
    const now = countsLine(swarm.counts(), hosts);
    if (now !== told) process.stderr.write(terminal ? `\r\u001B[2K${now}` : `${now}\n`);
    told = now;
  }
  process.stderr.write('\nstopping …\n');
  await swarm.stop();
  for (const words of swarm.counts().trouble) console.error(`  ${words}`);
  return 0;
});
process.exit();
