import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ActionRequest, type ActionResult, UNSIGNED, Verb } from '@modfleet/proto';
import type { LabHost } from '../../../lab/src/lab.ts';
import { FrameReader, MAX_HELPER_FRAME } from '../../../agent/src/helper/wire/frames.ts';
import { HELPER_PROTOCOL } from '../../../agent/src/helper/wire/protocol.ts';
import { type CourierWord, decodeHelperWord, encodeCourierWord } from '../../../agent/src/helper/wire/strict-codec.ts';
import { CertificateAuthority } from '../../../services/server/src/ca/certificate-authority.ts';
import { repository } from './fleet.ts';
import { StolenKey } from './stolen-key.ts';

const PROGRAM = '/usr/local/lib/modfleet-lab/own-helper.mjs';

/** Its own journal, and its own count of commands: the agent's helper goes on beside it. */
const STATE = '/var/lib/modfleet-lab-helper';

/** A helper's start and one verdict, emulated, on a loaded machine. */
const PATIENCE_MS = 240_000;

/** A helper on a host, for what the server's API does not ask for yet: a restore, and plans that were approved. What it gets is signed with the server's key. */
export class OwnHelper {
  readonly #host: LabHost;
  readonly #hostId: string;
  readonly #key: StolenKey;
  readonly #authority: CertificateAuthority;

  private constructor(host: LabHost, hostId: string, key: StolenKey, authority: CertificateAuthority) {
    this.#host = host;
    this.#hostId = hostId;
    this.#key = key;
    this.#authority = authority;
  }

  /** @param serverFolder of the server whose commands it takes. */
  static async on(host: LabHost, hostId: string, serverFolder: string): Promise<OwnHelper> {
    await host.writeFile(PROGRAM, readFileSync(join(repository, 'tests/e2e/support/own-helper.mjs'), 'utf8'));
    const authority = await CertificateAuthority.open(join(serverFolder, 'ca'));
    return new OwnHelper(host, hostId, await StolenKey.of(serverFolder), authority);
  }

  /** The result of one action. */
  async act(changes: Partial<ActionRequest>): Promise<ActionResult> {
    const request = await this.#key.sign({
      actionId: randomUUID(),
      hostId: this.#hostId,
      verb: Verb.VERB_LOAD,
      kmod: 'mf_hello',
      parameters: [],
      dryRun: false,
      expiresAtMs: Date.now() + 600_000,
      confirmWindowSeconds: 0,
      overrides: [],
      ...UNSIGNED,
      ...changes,
    });
    const words: CourierWord[] = [await this.#open(), { $case: 'submit', value: request }];
    const order = {
      args: ['act', '--state', STATE, '--host-id', this.#hostId],
      chunks: words.map((word) => Buffer.from(encodeCourierWord(word)).toString('base64')),
      ids: [request.actionId],
      waitMs: PATIENCE_MS,
    };
    await this.#host.writeFile('/tmp/own-helper.json', JSON.stringify(order));
    const out = await this.#host.must(`/usr/lib/modfleet/node ${PROGRAM} </tmp/own-helper.json 2>/tmp/own-helper.log`, {
      timeoutMs: PATIENCE_MS + 60_000,
    });
    const heard = new FrameReader(MAX_HELPER_FRAME).push(Buffer.from(out, 'base64')).map(decodeHelperWord);
    for (const word of heard)
      if (word.$case === 'result' && word.value.actionId === request.actionId) return word.value;
    const log = await this.#host.run('cat /tmp/own-helper.log');
    throw new Error(`no result of ${request.actionId}: ${JSON.stringify(heard)}\n${log.stdout}`);
  }

  async #open(): Promise<CourierWord> {
    const uptime = Number((await this.#host.must('cat /proc/uptime')).split(' ')[0]);
    const time = { serverTimeMs: Date.now(), errorMs: 1_000, boottimeMs: Math.round(uptime * 1_000) };
    const caCertificates = [this.#authority.certificate];
    const open = { protocol: HELPER_PROTOCOL, hostId: this.#hostId, time, caCertificates };
    return { $case: 'open', value: { ...open, way: undefined, trust: undefined } };
  }
}
