import { writeSync } from 'node:fs';

/** Levels by weight, as pino numbers them: what reads such logs knows them. */
const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50 } as const;

/** How much a line weighs. */
export type LogLevel = keyof typeof LEVELS;

type Line = (fields: object | string, message?: string) => void;

/** Writes lines: `log.warn({ retryInMs }, 'no session')` or `log.warn('no session')`. `err` is a field for errors, with their stack. */
export type Log = { readonly [level in LogLevel]: Line };

/**
 * JSON lines, written at once: what a crash leaves in the log is complete. The form is pino's; a logging library costs the resident program some MiB.
 *
 * @param write where lines go; stderr when left out
 */
export function createLog(level: LogLevel, write: (line: string) => void = toStderr): Log {
  const line =
    (of: LogLevel): Line =>
    (fields, message) => {
      if (LEVELS[of] < LEVELS[level]) return;
      const said = typeof fields === 'string' ? { msg: fields } : { ...plain(fields), msg: message };
      write(`${JSON.stringify({ level: LEVELS[of], time: new Date().toISOString(), ...said })}\n`);
    };
  return { trace: line('trace'), debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
}

/** Errors say nothing as JSON: their parts are taken out. */
function plain(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? partsOf(value) : value]),
  );
}

function partsOf(error: Error): object {
  return {
    type: error.name,
    message: error.message,
    stack: error.stack,
    ...('code' in error ? { code: error.code } : {}),
    ...(error.cause instanceof Error ? { cause: partsOf(error.cause) } : {}),
  };
}

/** A reader that does not keep up loses lines; the agent goes on. */
function toStderr(line: string): void {
  const bytes = Buffer.from(line);
  try {
    for (let written = 0; written < bytes.length;) written += writeSync(2, bytes, written);
  } catch {
    // Closed, or a full pipe that does not block (EAGAIN).
  }
}
