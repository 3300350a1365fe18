import { SessionRequest } from '@modfleet/proto';
import type { ToServer } from './transport.ts';

/** What waits together, most urgent first. Facets are not here: they are made when their turn comes (facet-sender.ts). */
const LANES = ['sign', 'report', 'answer'] as const;
type Lane = (typeof LANES)[number];

/** Bytes that may wait in a lane. Results are a few KiB and kept by the journal; answers are worth nothing once their asker has left. */
const LIMITS: Record<Exclude<Lane, 'sign'>, number> = { report: 4 * 1024 * 1024, answer: 1024 * 1024 };

interface Waiting {
  readonly message: ToServer;
  readonly bytes: number;
}

/** More results wait than may be held: the connection is given up, and the journal sends them again over the next. */
export class OutboxFullError extends Error {
  readonly code = 'outbox_full';
  constructor() {
    super('the server takes no results; they are kept and sent again later');
    this.name = 'OutboxFullError';
  }
}

/** Messages that wait for the stream: bounded in bytes, coalescing. */
export class Outbox {
  readonly #lanes: Record<Lane, Waiting[]> = { sign: [], report: [], answer: [] };
  readonly #held: Record<Lane, number> = { sign: 0, report: 0, answer: 0 };

  /** Bytes that wait, in all lanes. */
  get heldBytes(): number {
    return LANES.reduce((sum, lane) => sum + this.#held[lane], 0);
  }

  /** A sign of life, new facts, or what this host trusts: replaces one of its kind that still waits. */
  pushSign(message: Extract<ToServer, { $case: 'heartbeat' | 'pong' | 'facts' | 'trustState' }>): void {
    const lane = this.#lanes.sign;
    const index = lane.findIndex((waiting) => waiting.message.$case === message.$case);
    if (index >= 0) this.#held.sign -= lane.splice(index, 1)[0]?.bytes ?? 0;
    this.#add('sign', message);
  }

  /** Progress or result of an action: never dropped. @throws OutboxFullError */
  pushReport(message: Extract<ToServer, { $case: 'actionProgress' | 'actionResult' }>): void {
    this.#add('report', message);
    if (this.#held.report > LIMITS.report) throw new OutboxFullError();
  }

  /** Answer to a query: the oldest go when too many wait. */
  pushAnswer(message: Extract<ToServer, { $case: 'queryAnswer' }>): void {
    this.#add('answer', message);
    while (this.#held.answer > LIMITS.answer && this.#lanes.answer.length > 1) this.#take('answer');
  }

  /** The most urgent message, taken out. */
  shift(): ToServer | undefined {
    for (const lane of LANES) {
      const waiting = this.#take(lane);
      if (waiting !== undefined) return waiting.message;
    }
    return undefined;
  }

  #add(lane: Lane, message: ToServer): void {
    const bytes = SessionRequest.encode({ message }).finish().length;
    this.#lanes[lane].push({ message, bytes });
    this.#held[lane] += bytes;
  }

  #take(lane: Lane): Waiting | undefined {
    const waiting = this.#lanes[lane].shift();
    if (waiting !== undefined) this.#held[lane] -= waiting.bytes;
    return waiting;
  }
}
