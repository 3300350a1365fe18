import { setTimeout as delay } from 'node:timers/promises';
import { loadedFacet, statusOf, type TestSession } from '../../../services/server/src/testing/test-agent.ts';
import type { TestFleet } from '../../e2e/support/fleet.ts';
import type { AdminDoor } from '../support/admin-door.ts';
import { agentDoors, joinedAgent } from '../support/joined-hosts.ts';

const HEARTBEAT_MS = 250;
/** A loaded machine is slow; a server that forgets a host is slower. */
const ANSWER_MS = 10_000;

/** A good host beside the attackers: one session from beginning to end, each heartbeat answered. */
export class Neighbour {
  readonly hostId: string;
  readonly #session: TestSession;
  readonly #faults: string[] = [];
  readonly #loop: Promise<void>;
  #answered = 0;
  #slowestMs = 0;
  #leaving = false;

  private constructor(hostId: string, session: TestSession) {
    this.hostId = hostId;
    this.#session = session;
    this.#loop = this.#beat();
  }

  static async connect(fleet: TestFleet, door: AdminDoor): Promise<Neighbour> {
    const agent = await joinedAgent(fleet, door, 'neighbour');
    const facet = loadedFacet('floppy');
    const { session } = await agent.connect(agentDoors(fleet).session, [statusOf(facet)]);
    session.whole(facet);
    return new Neighbour(agent.hostId, session);
  }

  figures(): { readonly answered: number; readonly slowestMs: number } {
    return { answered: this.#answered, slowestMs: Math.round(this.#slowestMs) };
  }

  /** What went wrong since it was last asked. */
  faults(): string[] {
    return this.#faults.splice(0);
  }

  async end(): Promise<string[]> {
    this.#leaving = true;
    await this.#loop;
    await this.#session.leave();
    return this.faults();
  }

  async #beat(): Promise<void> {
    while (!this.#leaving) {
      const sent = performance.now();
      this.#session.heartbeat([]);
      const late = new AbortController();
      const answer = await Promise.race([
        this.#session.expect('heartbeatReply').then(
          () => 'answered' as const,
          (error: unknown) => `the session of the host beside ended: ${String(error)}`,
        ),
        delay(ANSWER_MS, `a heartbeat of the host beside was not answered within ${ANSWER_MS / 1000} s`, {
          signal: late.signal,
        }).catch(() => ''),
      ]);
      late.abort();
      if (answer !== 'answered') {
        this.#faults.push(answer);
        return;
      }
      this.#answered += 1;
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - sent);
      await delay(HEARTBEAT_MS);
    }
  }
}
