import { X509Certificate } from 'node:crypto';
import { type ActionResult, SessionResponse } from '@modfleet/proto';
import { HelperEngine } from '../../agent/src/courier/helper-engine.ts';
import { HelperWorld } from '../../agent/src/helper/testing/helper-world.ts';
import { comesTrue } from '../../services/server/src/testing/comes-true.ts';
import { epoch } from '../../services/server/src/commands/epoch.ts';
import type { ActionStack } from '../../services/server/src/actions/testing/action-stack.ts';
import type { FakeHost } from '../../services/server/src/actions/testing/fake-host.ts';

/** A host of the fleet, with the real courier and helper over a simulated kernel. */
export class SignedHost {
  readonly world = new HelperWorld();
  readonly courier: HelperEngine;
  readonly host: FakeHost;
  /** What came over the wire, as bytes. */
  readonly recorded: Buffer[] = [];
  readonly results: ActionResult[] = [];

  constructor(host: FakeHost, authority: Buffer) {
    this.host = host;
    this.world.self = host.id;
    this.world.trust = { generation: 0, cas: [new X509Certificate(authority)] };
    this.world.clock.ms = Date.now();
    this.courier = new HelperEngine({
      openLink: this.world.openLink,
      hostId: host.id,
      authorities: () => [authority],
      trust: () => undefined,
      clock: this.world.clock.boot,
      serverClock: this.world.clock.server,
      serverRoute: () => undefined,
      confirmer: { confirm: () => Promise.resolve({ kind: 'unreachable', message: 'no' }) },
      log: this.world.log,
    });
    this.courier.onResult((result) => this.results.push(result));
  }

  /** Takes the next request as the wire has it, and gives its result. */
  async takes(): Promise<ActionResult> {
    const value = await this.host.next('actionRequest');
    const bytes = Buffer.from(SessionResponse.encode({ message: { $case: 'actionRequest', value } }).finish());
    this.recorded.push(bytes);
    return this.hears(bytes);
  }

  /** The same bytes once more; whatever helper answers has gone after it. */
  async replays(bytes: Buffer): Promise<ActionResult> {
    const result = await this.hears(bytes);
    await this.letsGo(result);
    return result;
  }

  async letsGo(result: ActionResult): Promise<void> {
    await this.courier.acknowledge([result.actionId]);
    await Promise.all(this.world.helpers.map(({ done }) => done));
  }

  async hears(bytes: Buffer): Promise<ActionResult> {
    const { message } = SessionResponse.decode(bytes);
    if (message?.$case !== 'actionRequest') throw new Error('no request');
    const { length } = this.results;
    this.courier.submit(message.value);
    return comesTrue(() => {
      const result = this.results[length];
      if (result === undefined) throw new Error('no result');
      return result;
    });
  }

  async runs(): Promise<ActionResult> {
    const result = await this.takes();
    await this.host.reports(result);
    await this.host.next('resultAck');
    await this.letsGo(result);
    return result;
  }
}

/** `modfleet-server epoch …` on the server's machine: what it prints. */
export async function epochCommand({ stateDir, databaseUrl }: ActionStack, ...args: string[]): Promise<string> {
  const lines: string[] = [];
  const bus = { kind: 'postgres' } as const;
  const config = {
    stateDir,
    keyPassphrase: undefined,
    bus,
    databaseUrl,
    databaseDirectUrl: databaseUrl,
    dbPoolSize: 2,
  };
  await epoch(config, args, (line) => lines.push(line));
  return lines.join('\n');
}
