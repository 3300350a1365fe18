import type { AgentConfig } from '../config/agent-config.ts';
import { FileIdentityStore } from '../identity/file-identity-store.ts';
import type { ServerAddress } from './window-plan.ts';

/**
 * Whose silence lets this host reboot to recover; undefined where that is not known, and then it does not.
 *
 * A helper apart from the courier believes root's settings alone: the folder of the host's identity is the courier's to write, and an address of
 * nobody in it would have the host rebooted with the server in reach. The settings name the server's identity listener; whatever answers there shows
 * that the server is reached. A helper with the courier's own rights has nothing to keep from it, and asks at the session listener.
 */
export async function sessionAddressOf(
  settings: Pick<AgentConfig, 'state_dir' | 'server'>,
  isApart: boolean,
): Promise<ServerAddress | undefined> {
  if (isApart) return settings.server;
  const identity = await new FileIdentityStore(settings.state_dir).load().catch(() => undefined);
  if (identity === undefined) return settings.server;
  return { host: settings.server?.host ?? identity.server.host, port: identity.server.sessionPort };
}

/** What is to be done where the settings want a reboot that will not come; undefined when nothing is. */
export function noRecovery(
  settings: Pick<AgentConfig, 'reboot_to_recover' | 'server'>,
  isApart: boolean,
): string | undefined {
  if (!isApart || !settings.reboot_to_recover || settings.server !== undefined) return undefined;
  return 'reboot_to_recover does nothing without "server: HOST:PORT" in agent.yaml: what the agent was told at joining is no reason to reboot';
}
