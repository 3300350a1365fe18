import { closeAdminToken, rotateAdminToken } from '../access/admin-token.ts';
import { localSource } from '../audit/audit-source.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { withTokens } from './token.ts';
import { UsageError } from './usage-error.ts';

export const ADMIN_TOKEN_USAGE = `modfleet-server admin-token rotate
modfleet-server admin-token close`;

/** The token that the first start makes: another one in its place, or none any more. */
export async function adminToken(
  config: ServerConfig,
  args: readonly string[],
  print: (line: string) => void,
): Promise<void> {
  const [verb, ...rest] = args;
  if (rest.length > 0 || (verb !== 'rotate' && verb !== 'close'))
    throw new UsageError(`say what to do with the admin token\n${ADMIN_TOKEN_USAGE}`);
  await withTokens(config, async (tokens) => {
    if (verb === 'rotate') {
      const { path, ended } = await rotateAdminToken(config.stateDir, tokens, localSource());
      print(`another admin token is in ${path}; ${endedWords(ended)}`);
    } else {
      const ended = await closeAdminToken(config.stateDir, tokens, localSource());
      print(`${endedWords(ended)}; no start makes another; a way back in: modfleet-server token create --name NAME`);
    }
  });
}

/** Which tokens are worthless now: what was made for the file and has leaked is among them, or it is none of these. */
function endedWords(ended: readonly string[]): string {
  if (ended.length === 0) return 'there was no other that was good';
  return `worthless now: ${ended.map((prefix) => `${prefix}…`).join(', ')}`;
}
