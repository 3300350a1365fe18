import { HostFacts, TrustState, Welcome } from '@modfleet/proto';
import { createLog } from '../../log.ts';
import { OffsetServerClock } from '../../time/server-clock.ts';
import { EventBuffer } from '../event-buffer.ts';
import { memoryTransport } from '../memory-transport.ts';
import type { MemoryServerEnd } from '../memory-transport.ts';
import type { SessionEnd } from '../session-end.ts';
import { Session } from '../session.ts';
import type { SessionParts } from '../session.ts';
import type { ToServer } from '../transport.ts';
import { FakeEngine } from './fake-engine.ts';
import { FakeInventory } from './fake-inventory.ts';

/** Boot time that a test sets. */
export class FakeBootClock {
  ms = 10_000;
  nowMs(): number {
    return this.ms;
  }
}

/** A session between fakes. */
export interface SessionFixture {
  readonly server: MemoryServerEnd;
  readonly session: Session;
  readonly engine: FakeEngine;
  readonly inventory: FakeInventory;
  readonly bootClock: FakeBootClock;
  readonly serverClock: OffsetServerClock;
  readonly events: EventBuffer;
  readonly ended: Promise<SessionEnd>;
}

/** Starts a session; the first message of the agent waits in `server`. `atTheDoor`: until the server resumes. */
export function startSession(
  inventory: FakeInventory,
  engine = new FakeEngine(),
  { atTheDoor = false } = {},
): SessionFixture {
  const bootClock = new FakeBootClock();
  const serverClock = new OffsetServerClock(bootClock);
  const events = new EventBuffer(bootClock);
  const { agent, server } = memoryTransport();
  if (atTheDoor) server.pause();
  const parts: SessionParts = {
    inventory,
    engine,
    events,
    bootClock,
    serverClock,
    log: createLog('error', () => undefined),
    random: () => 0.5,
    trust: { state: () => TrustState.fromPartial({}), take: () => Promise.resolve(false) },
  };
  const session = new Session(parts, agent);
  inventory.onChange((changed) => session.changed(changed));
  inventory.onKmodEvents((told) => {
    events.push(told);
    session.eventsWaiting();
  });
  engine.onProgress((report) => session.progress(report));
  engine.onResult((result) => session.result(result));
  const ended = session.run(HostFacts.fromPartial({ hostname: 'h1' }));
  return { server, session, engine, inventory, bootClock, serverClock, events, ended };
}

/** Sends a Welcome. */
export function welcome(server: MemoryServerEnd, change: Partial<Welcome> = {}): void {
  server.send({
    $case: 'welcome',
    value: {
      serverTimeMs: 1_700_000_000_000,
      sessionNo: 1,
      heartbeatIntervalMs: 10_000,
      pollIntervalMs: 2000,
      facetIntervalMs: 60_000,
      wanted: [],
      quarantined: false,
      shortHeartbeats: true,
      trust: undefined,
      ...change,
    },
  });
}

/** The next message of this kind; others before it are passed over. */
export async function nextOf<C extends ToServer['$case']>(
  server: MemoryServerEnd,
  kind: C,
): Promise<Extract<ToServer, { $case: C }>> {
  for (;;) {
    const message = await server.next();
    if (isKind(message, kind)) return message;
  }
}

function isKind<C extends ToServer['$case']>(message: ToServer, kind: C): message is Extract<ToServer, { $case: C }> {
  return message.$case === kind;
}
