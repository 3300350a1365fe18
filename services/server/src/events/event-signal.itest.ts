import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { Bus } from '../bus/bus.ts';
import { AgentSide } from '../testing/agent-side.ts';
import { comesTrue } from '../testing/comes-true.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { loadedFacet, statusOf } from '../testing/test-agent.ts';
import { EVENTS_CHANNEL, EventSignal } from './event-signal.ts';

let postgres: TestPostgres;
let side: AgentSide;
let other: AgentSide;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const { url } = await postgres.createDatabase();
  side = await AgentSide.start(url);
  other = await AgentSide.start(url, { stateDir: side.stateDir });
});
afterAll(async () => {
  await other?.stop();
  await side?.stop();
  await postgres?.close();
});

it('what a host tells wakes those who follow, in every replica, after it is stored', async () => {
  const signal = side.app.get(EventSignal);
  const stored = vi.spyOn(signal, 'stored');
  const heard: number[] = [];
  other.app.get(Bus).subscribe(EVENTS_CHANNEL, () => {
    void other.database
      .query<{ n: number }>('SELECT count(*) AS n FROM kmod_event')
      .then(([row]) => heard.push(row?.n ?? -1));
  });
  const agent = await side.host();
  const { session } = await agent.connect(side.sessionAddress, [statusOf(loadedFacet('a'))]);
  session.whole(loadedFacet('a'));
  const told = { kmod: 'b', kind: 1 as const, ageMs: 5, actionId: '', source: 'uevent' };
  session.send({ $case: 'kmodEvents', value: { events: [told], lost: false } });
  await comesTrue(() => expect(heard).toEqual([1]));
  expect(stored).toHaveBeenCalledTimes(1);
  // Many batches are one word.
  for (let at = 0; at < 5; at += 1) signal.stored();
  await comesTrue(() => expect(heard).toEqual([1, 1]));
  await session.drop();
});
