/** Called with what was published. An error of a handler is logged and touches nobody else. */
export type BusHandler = (payload: string) => void;

/** Longest message in bytes, channel name and JSON escapes included, over every driver: Postgres's NOTIFY takes less than 8,000. */
export const BUS_PAYLOAD_MAX_BYTES = 7_800;

/** Who can tell the replicas something: the bus of a server, or a command that has none (announce-once.ts). */
export interface Publisher {
  /** @throws DatabaseUnavailableError or BusUnavailableError when it could not be handed over, RangeError when the payload is too long. */
  publish(channel: string, payload: string): Promise<void>;
}

/**
 * Wake-ups between replicas. A message may be lost (connection down, replica restarted): it only ever saves time, the truth is in rows and a
 * slow sweep finds it. Never publish inside an ingest transaction: NOTIFY takes a lock for the whole database at commit.
 *
 * Channels: `replica:ID` reaches that replica only; any other name reaches all of them, the publisher too.
 */
export abstract class Bus implements Publisher {
  /** Which driver it is. */
  abstract readonly kind: 'postgres' | 'nats';
  /** Why it is away just now, in a sentence without secrets; undefined: it is there. */
  abstract readonly problem: string | undefined;
  abstract publish(channel: string, payload: string): Promise<void>;
  /** Returns what ends the subscription. */
  abstract subscribe(channel: string, handler: BusHandler): () => void;
  /** Called when the bus is back after an interruption in which wake-ups may have been lost: time to sweep. Returns what ends it. */
  abstract onResumed(handler: () => void): () => void;
}

/** Channel of one replica. */
export function replicaChannel(replicaId: string): string {
  return `replica:${replicaId}`;
}
