import type { X509Certificate } from 'node:crypto';
import { duplexPair } from 'node:stream';
import type { ActionRequest, TrustBundle } from '@modfleet/proto';
import { HOST_ID } from '../../actions/testing/builders.ts';
import { QuietLog } from '../../actions/testing/simulated-host.ts';
import { linkOver } from '../../courier/helper-link.ts';
import { runHelper } from '../run-helper.ts';
import { HELPER_PROTOCOL, type HelperKind } from '../wire/protocol.ts';

/** A machine's helper as systemd starts it, and what its courier opens with. */
export interface AskedHelper {
  readonly kind: HelperKind;
  readonly config: string;
  readonly stateDir: string;
  readonly authority: X509Certificate;
  readonly trust?: TrustBundle | undefined;
}

/** What a helper answers to one command: that it is not taken, or its result. */
export interface HelperAnswer {
  readonly kind: 'rejected' | 'result';
  readonly code: string;
  readonly message: string;
}

/** Starts the helper for one command, to its end. Rejects with the helper's words when it refuses the connection. */
export async function askHelper(asked: AskedHelper, command: ActionRequest): Promise<HelperAnswer> {
  const [courierEnd, helperEnd] = duplexPair();
  const stop = new AbortController();
  const helper = runHelper({
    kind: asked.kind,
    config: asked.config,
    stateDir: asked.stateDir,
    hostId: undefined,
    isApart: false,
    input: helperEnd,
    output: helperEnd,
    log: new QuietLog(),
    signal: stop.signal,
  });
  const link = linkOver(courierEnd);
  const answer = new Promise<HelperAnswer>((resolve, reject) => {
    link.onWord((word) => {
      const { actionId } = command;
      if (word.$case === 'rejected' && word.value.actionId === actionId)
        resolve({ kind: 'rejected', code: word.value.code, message: word.value.message });
      // Those of the commands before are told, too: nobody has acknowledged them.
      if (word.$case === 'result' && word.value.actionId === actionId)
        resolve({ kind: 'result', code: word.value.reasonCode, message: word.value.message });
      if (word.$case === 'refused') reject(new Error(word.value.message));
    });
    link.onEnd((why) => reject(new Error(why)));
  });
  const caCertificates = [asked.authority.raw];
  const open = { protocol: HELPER_PROTOCOL, hostId: HOST_ID, time: undefined, way: undefined, caCertificates };
  link.send({ $case: 'open', value: { ...open, trust: asked.trust } });
  link.send({ $case: 'submit', value: command });
  try {
    return await answer;
  } finally {
    link.close();
    stop.abort();
    await helper;
  }
}
