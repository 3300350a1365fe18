import { parseArgs } from 'node:util';
import { runAgent } from './commands/run.ts';
import { loadConfig } from './config/load-config.ts';
import { messageOf } from './error-words.ts';
import { createLog } from './log.ts';

/**
 * The resident program of a host: `modfleet-agent run`, and nothing that only people's commands need. It is there all day on every machine, so what
 * is not imported here is memory saved (docs/adr/0023); main.ts has the same command.
 */
async function main(): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
  try {
    const { values } = parseArgs({
      options: { config: { type: 'string' } },
      args: process.argv.slice(process.argv[2] === 'run' ? 3 : 2),
    });
    const config = await loadConfig(values.config);
    await runAgent({ config, configFile: values.config, log: createLog(config.log_level), signal: stop.signal });
  } catch (error) {
    process.stderr.write(`modfleet-agent: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}

// Ends here, whatever is still under way: a child that collects `available` may take minutes, and dies with this process.
void main().finally(() => process.exit());
