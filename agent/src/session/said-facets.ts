import type { Facet, FacetStatus } from '@modfleet/proto';
import type { ToServer } from './transport.ts';

const NOTHING = Buffer.alloc(0);

/**
 * What was said of each facet over this connection, in the order in which it was sent. An idle host's heartbeat then needs no digests: they are two
 * thirds of it, and it is most of what an idle host sends.
 */
export class SaidFacets {
  readonly #words = new Map<Facet, string>();

  /** The message as it goes out now: where `short`, a heartbeat without what the server has heard. */
  say(message: ToServer, short: boolean): ToServer {
    switch (message.$case) {
      case 'hello':
        for (const status of message.value.facets) this.#words.set(status.facet, wordOf(status));
        return message;
      case 'facetUpdate':
        this.#words.set(message.value.facet, message.value.digest.toString('hex'));
        return message;
      case 'heartbeat': {
        const facets = message.value.facets.map((status) => this.#shortened(status, short));
        return { $case: 'heartbeat', value: { ...message.value, facets } };
      }
      default:
        return message;
    }
  }

  #shortened(status: FacetStatus, short: boolean): FacetStatus {
    const word = wordOf(status);
    if (short && this.#words.get(status.facet) === word) return { ...status, digest: NOTHING, incapableReason: '' };
    this.#words.set(status.facet, word);
    return status;
  }
}

function wordOf({ digest, incapableReason }: FacetStatus): string {
  return incapableReason === '' ? digest.toString('hex') : `!${incapableReason}`;
}
