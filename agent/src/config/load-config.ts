import { readFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import type * as z from 'zod';
import { DEFAULT_CONFIG_PATH, agentConfigSchema } from './agent-config.ts';
import type { AgentConfig } from './agent-config.ts';
import { nearestKey } from './nearest-key.ts';

/** The settings cannot be used. The message lists everything that is wrong, one line each. */
export class ConfigError extends Error {
  readonly code = 'config_invalid';
  readonly problems: readonly string[];
  constructor(path: string, problems: readonly string[], options?: ErrorOptions) {
    super(`${path} cannot be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`, options);
    this.problems = problems;
    this.name = 'ConfigError';
  }
}

/**
 * Reads and checks the settings. Without a path the default one is read, and may be absent (all defaults); a path that was given must exist.
 *
 * @throws ConfigError
 */
export async function loadConfig(given?: string): Promise<AgentConfig> {
  const path = given ?? DEFAULT_CONFIG_PATH;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    if (errno === 'ENOENT' && given === undefined) return parseConfig('', path);
    throw new ConfigError(path, [errno === 'ENOENT' ? 'there is no such file' : `it cannot be read (${errno})`], {
      cause,
    });
  }
  return parseConfig(text, path);
}

/** Checks settings given as YAML; an empty text gives the defaults. @throws ConfigError listing every problem. */
export function parseConfig(text: string, path: string): AgentConfig {
  const document = parseDocument(text, { uniqueKeys: true });
  if (document.errors.length > 0) {
    throw new ConfigError(
      path,
      document.errors.map((error) => error.message.split('\n')[0] ?? error.code),
    );
  }
  const result = agentConfigSchema.safeParse(document.toJS({ maxAliasCount: 10 }) ?? {});
  if (!result.success) throw new ConfigError(path, result.error.issues.flatMap(problemsOf));
  return result.data;
}

function problemsOf(issue: z.core.$ZodIssue): string[] {
  const at = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys') return [`${at === '' ? 'the file' : at}: ${issue.message}`];
  const known =
    at === 'policy' ? Object.keys(agentConfigSchema.shape.policy.unwrap().shape) : Object.keys(agentConfigSchema.shape);
  return issue.keys.map((key) => {
    const full = at === '' ? key : `${at}.${key}`;
    const near = nearestKey(key, known);
    return near === undefined
      ? `${full}: there is no such setting (known: ${known.join(', ')})`
      : `${full}: there is no such setting; did you mean ${near}?`;
  });
}
