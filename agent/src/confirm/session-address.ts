import type { AgentConfig } from '../config/agent-config.ts';
import { FileIdentityStore } from '../identity/file-identity-store.ts';
import type { ServerAddress } from './window-plan.ts';

/** Where this host's agent finds the server's session listener; undefined while it has not joined, or when its identity cannot be read. */
export async function sessionAddressOf(
  settings: Pick<AgentConfig, 'state_dir' | 'server'>,
): Promise<ServerAddress | undefined> {
  const identity = await new FileIdentityStore(settings.state_dir).load().catch(() => undefined);
  if (identity === undefined) return undefined;
  return { host: settings.server?.host ?? identity.server.host, port: identity.server.sessionPort };
}
