import { certificateUse } from '../enrollment/certificate-use.ts';
import type { HostIdentityRow } from '../enrollment/host.queries.ts';

/**
 * Why a host gets no session; undefined: it may have one. Of an older certificate nothing is concluded here: the Hello of a connection that was given up
 * long ago may come late. The agent asks what is wrong, is told, and asks for a renewal, of which the server knows that it is asked now
 * (enrollment/renew.service.ts).
 *
 * @param host undefined: no such host, or another key.
 */
export function sessionRefusal(host: HostIdentityRow | undefined, serial: string): string | undefined {
  if (host === undefined) return 'the server does not know this host and key';
  if (host.retired) return 'this host was retired; join anew';
  if (host.revoked) return 'this host was revoked';
  if (!host.quarantined && certificateUse(serial, host.certificateUsed) === 'superseded')
    return 'a later certificate of this host is in use: ask for a renewal';
  return undefined;
}
