import { ConfirmServiceService, IdentityServiceService, SessionServiceService } from '@modfleet/proto';

/**
 * Who may call which RPC: one row each, default deny. A listener does not start with an RPC that has none, or that belongs on the other listener.
 *
 * - `anyone`: over TLS that authenticates the server alone; the call itself carries the proof (`proof`), and gives nothing without it.
 * - `host`: over mutual TLS, by a host that the database knows by this id and key and that is neither retired nor revoked; each speaks for itself alone.
 */
export interface RpcRule {
  readonly listener: 'identity' | 'session';
  readonly access: 'anyone' | 'host';
  readonly proof: string;
}

const identity = { listener: 'identity', access: 'anyone' } as const;
const host = { listener: 'session', access: 'host', proof: 'the client certificate' } as const;

export const RPC_TABLE: Readonly<Record<string, RpcRule>> = {
  [IdentityServiceService.enroll.path]: { ...identity, proof: 'a join token' },
  [IdentityServiceService.challenge.path]: {
    ...identity,
    proof: 'none: it gives a nonce, which proves nothing by itself',
  },
  [IdentityServiceService.diagnose.path]: { ...identity, proof: 'a signature of the host key over a nonce' },
  [IdentityServiceService.renew.path]: {
    ...identity,
    proof: 'a signature of the host key over a nonce and its certificate',
  },
  [SessionServiceService.session.path]: host,
  [ConfirmServiceService.confirm.path]: host,
};

/** @throws Error naming the RPC that has no row for this listener. */
export function refuseUnruledRpc(
  listener: RpcRule['listener'],
  service: Readonly<Record<string, { readonly path: string }>>,
): void {
  for (const { path } of Object.values(service)) {
    const rule = Object.hasOwn(RPC_TABLE, path) ? RPC_TABLE[path] : undefined;
    if (rule?.listener !== listener)
      throw new Error(`the RPC ${path} has no row for the listener "${listener}" in access/rpc-table.ts`);
  }
}
