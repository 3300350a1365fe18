/** Name in every server certificate: agents ask for it whatever address they dial, so a server may move. */
export const SERVER_TLS_NAME = 'modfleet-server';

/** URI in a host certificate's subject alternative name. */
export function hostUri(hostId: string): string {
  return `modfleet://host/${hostId}`;
}
