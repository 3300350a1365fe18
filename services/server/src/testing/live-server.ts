import { portOf } from './port-of.ts';

/** Where the listeners of this process are, for agents in it. */
export function liveServer(listeners: { readonly identityAddress?: string; readonly sessionAddress?: string }) {
  const { identityAddress = '', sessionAddress = '' } = listeners;
  return { host: '127.0.0.1', identityPort: portOf(identityAddress), sessionPort: portOf(sessionAddress) };
}
