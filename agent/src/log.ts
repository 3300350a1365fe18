import { destination, pino } from 'pino';
import type { Logger } from 'pino';
import type { AgentConfig } from './config/agent-config.ts';

/** JSON lines on stderr, written at once: what a crash leaves in the log is complete. */
export function createLog(level: AgentConfig['log_level']): Logger {
  return pino(
    { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    destination({ fd: 2, sync: true }),
  );
}
