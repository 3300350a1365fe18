import { Logger } from '@nestjs/common';
import { Facet, Hello, HostFacts } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import type { IngestPeer } from '../ingest/host-tracker.ts';
import type { ServerMessage } from './agent-gateway.ts';
import type { AgentStream, HostMessage } from './agent-stream.ts';
import { HostSession } from './host-session.ts';
import type { SessionParts } from './session-parts.ts';

/** A stream that says Hello and then waits; what goes out is kept. */
class HelloStream implements AgentStream {
  readonly peer = '192.0.2.1';
  readonly sent: ServerMessage[] = [];
  readonly #over = Promise.withResolvers<void>();

  readonly messages: AsyncIterable<HostMessage> = this.#said();

  send(message: ServerMessage): boolean {
    this.sent.push(message);
    return true;
  }

  close(): void {
    this.#over.resolve();
  }

  async *#said(): AsyncGenerator<HostMessage> {
    yield { $case: 'hello', value: Hello.fromPartial({ facts: HostFacts.fromPartial({ bootId: 'b1' }) }) };
    await this.#over.promise;
  }
}

describe('HostSession', () => {
  it('sends nothing before Welcome, whatever is wanted of the host while that is on its way', async () => {
    Logger.overrideLogger(false);
    const stream = new HelloStream();
    const saved = Promise.withResolvers<void>();
    let peer: IngestPeer | undefined;
    const parts = {
      admission: { admit: () => Promise.resolve({ kind: 'admitted', sessionNo: 7, quarantined: false }) },
      registry: { hold: () => undefined, release: () => undefined, all: () => [] },
      gateway: { attach: () => undefined, detach: () => undefined, dispatch: () => Promise.resolve() },
      ingest: {
        connect: (of: IngestPeer) => {
          peer = of;
          const session = { heartbeat: () => undefined, events: () => undefined, end: () => undefined };
          return Promise.resolve({ session, wanted: [Facet.FACET_LOADED] });
        },
      },
      ca: { set: { generation: 0 }, trusts: () => true },
      hostColumns: () => ({}),
      saveFacts: () => saved.promise,
      saveTrust: () => Promise.resolve(),
      nowMs: () => 0,
      intervals: { heartbeatIntervalMs: 30_000, pollIntervalMs: 2_000, facetIntervalMs: 60_000 },
    } as unknown as SessionParts;
    const session = new HostSession({ hostId: 'h1', serial: '01', notAfterMs: 0 }, stream, parts, 'ca');
    const run = session.run();
    await expect.poll(() => peer).toBeDefined();
    // The host that was asked for its devices has gone; and another connection of this host asks whether it is there.
    peer?.request([Facet.FACET_DEVICES]);
    const alive = session.probe(50);
    expect(stream.sent).toEqual([]);
    saved.resolve();
    await expect.poll(() => stream.sent.map(({ $case }) => $case)).toEqual(['welcome', 'ping']);
    expect(stream.sent[0]).toMatchObject({ value: { wanted: [Facet.FACET_LOADED, Facet.FACET_DEVICES] } });
    peer?.request([Facet.FACET_CONFIG]);
    expect(stream.sent.at(-1)).toEqual({ $case: 'facetRequest', value: { facets: [Facet.FACET_CONFIG] } });
    expect(await alive).toBe(false);
    stream.close();
    await run;
  });
});
