import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/**
 * The address that the kernel would use towards `remote`; undefined when it has no way there. A UDP socket is connected for that, which sends nothing:
 * Asked before the session's own connection is made, too.
 */
export function localAddressTowards(remote: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(remote) ? 'udp6' : 'udp4');
    const finish = (address: string | undefined): void => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => finish(undefined));
    socket.connect(port, remote, () => finish(socket.address().address));
  });
}
