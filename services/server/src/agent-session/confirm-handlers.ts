import { status } from '@grpc/grpc-js';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ConfirmServiceServer } from '@modfleet/proto';
import { AgentGateway } from './agent-gateway.ts';
import type { ConfirmDecision } from './confirm-port.ts';
import { peerIdentity } from './peer-identity.ts';

/** ConfirmService of the contract: from a TLS peer to a decision, and back. */
@Injectable()
export class ConfirmHandlers {
  readonly #log = new Logger('confirms');
  readonly #gateway: AgentGateway;

  constructor(@Inject(AgentGateway) gateway: AgentGateway) {
    this.#gateway = gateway;
  }

  service(onCall: (peer: string) => string): ConfirmServiceServer {
    return {
      confirm: (call, answer) => {
        const peer = onCall(call.getPeer());
        const { actionId } = call.request;
        const identity = peerIdentity(call);
        if (identity === undefined) {
          answer({ code: status.PERMISSION_DENIED, details: 'this is no host certificate' });
          return;
        }
        this.#gateway.confirm(identity, actionId, peer).then(
          (decision) => {
            if (decision.kind === 'given') answer(null, { actionId, serverTimeMs: decision.at.getTime(), peer });
            else answer(refusal(decision));
          },
          (error: unknown) => {
            this.#log.error({ message: 'a confirm failed', actionId, err: error });
            answer({ code: status.INTERNAL, details: 'the server failed; ask again' });
          },
        );
      },
    };
  }
}

function refusal(decision: Exclude<ConfirmDecision, { kind: 'given' }>): { code: status; details: string } {
  switch (decision.kind) {
    case 'unknown':
      return { code: status.NOT_FOUND, details: 'this host has no such action here' };
    case 'refused':
      return { code: status.FAILED_PRECONDITION, details: decision.reason };
    case 'unavailable':
      return { code: status.UNAVAILABLE, details: 'the database does not answer; ask again' };
  }
}
