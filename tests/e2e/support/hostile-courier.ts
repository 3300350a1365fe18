import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabHost } from '../../../lab/src/lab.ts';
import { FrameReader, MAX_HELPER_FRAME } from '../../../agent/src/helper/wire/frames.ts';
import { HELPER_PROTOCOL, HELPER_SOCKETS, type HelperKind } from '../../../agent/src/helper/wire/protocol.ts';
import {
  type CourierWord,
  decodeHelperWord,
  encodeCourierWord,
  type HelperWord,
} from '../../../agent/src/helper/wire/strict-codec.ts';
import { repository } from './fleet.ts';

/** What is said over one connection. */
export type Speech = readonly (Uint8Array | CourierWord)[];

/** What was heard over one connection. */
export interface Heard {
  readonly words: readonly HelperWord[];
  /** answered, closed, waited, or why there was no connection. */
  readonly how: string;
}

/** Where its program is on the host. */
const PROGRAM = '/usr/local/lib/modfleet-lab/hostile-courier.mjs';

/** No way back to root, as the agent's unit has it. */
const AS_AGENT = 'setpriv --reuid=modfleet --regid=modfleet --clear-groups --no-new-privs --bounding-set=-all';

/** The agent's user on a lab host, in the hands of somebody else. */
export class HostileCourier {
  readonly #host: LabHost;
  readonly #hostId: string;

  private constructor(host: LabHost, hostId: string) {
    this.#host = host;
    this.#hostId = hostId;
  }

  static async on(host: LabHost, hostId: string): Promise<HostileCourier> {
    await host.writeFile(PROGRAM, readFileSync(join(repository, 'tests/e2e/support/hostile-courier.mjs'), 'utf8'));
    return new HostileCourier(host, hostId);
  }

  /** A first frame as a true courier says it; the server's time is this machine's. */
  async open(changes: { readonly hostId?: string; readonly protocol?: number } = {}): Promise<CourierWord> {
    const uptime = Number((await this.#host.must('cat /proc/uptime')).split(' ')[0]);
    const time = { serverTimeMs: Date.now(), errorMs: 1_000, boottimeMs: Math.round(uptime * 1_000) };
    return {
      $case: 'open',
      value: {
        protocol: HELPER_PROTOCOL,
        hostId: this.#hostId,
        time,
        way: undefined,
        caCertificates: [],
        trust: undefined,
        ...changes,
      },
    };
  }

  /** Opens these connections at the same moment, and listens on each until all of it is answered. */
  async say(kind: HelperKind, speeches: readonly Speech[], waitMs: number): Promise<Heard[]> {
    const connections = speeches.map((speech) => ({
      chunks: speech.map((one) => Buffer.from('$case' in one ? encodeCourierWord(one) : one).toString('base64')),
      // Every request is answered; what is none is refused.
      ids: speech.flatMap((one) => ('$case' in one && one.$case === 'submit' ? [one.value.actionId] : [])),
    }));
    await this.#host.writeFile(
      '/tmp/hostile.json',
      JSON.stringify({ socket: HELPER_SOCKETS[kind], connections, waitMs }),
    );
    const out = await this.#host.must(`${AS_AGENT} /usr/bin/node ${PROGRAM} </tmp/hostile.json`, {
      timeoutMs: waitMs + 60_000,
    });
    return (JSON.parse(out) as { how: string; heard: string }[]).map(({ how, heard }) => ({
      how,
      words: new FrameReader(MAX_HELPER_FRAME).push(Buffer.from(heard, 'base64')).map(decodeHelperWord),
    }));
  }
}
