import { JournalState } from '@modfleet/proto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Metrics } from '../metrics/metrics.service.ts';
import { AgentSide } from '../testing/agent-side.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import type { TestAgent, TestSession } from '../testing/test-agent.ts';
import { comesTrue } from '../testing/comes-true.ts';

interface Row {
  readonly damage: string;
  readonly at: Date | null;
}

let side: AgentSide;
let agent: TestAgent;
let session: TestSession;

onTestDatabase(async (url) => (side = await AgentSide.start(url)));
beforeAll(async () => {
  agent = await side.host();
  session = (await agent.connect(side.sessionAddress)).session;
});
afterAll(() => session?.drop());

const row = async (): Promise<Row | undefined> =>
  (
    await side.database.query<Row>(
      'SELECT journal_damage AS damage, journal_damaged_at AS at FROM host WHERE id = $1',
      [agent.hostId],
    )
  )[0];

/** Said in passing with another fact, so that it is seen when it was stored. */
async function says(journal: JournalState, osVersionId: string): Promise<Row | undefined> {
  session.send({ $case: 'facts', value: { ...agent.facts, journal, osVersionId } });
  const select = 'SELECT os_version_id AS version FROM host WHERE id = $1';
  await comesTrue(async () =>
    expect(await side.database.query(select, [agent.hostId])).toEqual([{ version: osVersionId }]),
  );
  return row();
}

it('keeps what a host says of its journal, since when, and counts each once', async () => {
  expect(await row()).toEqual({ damage: '', at: null });
  const first = await says(JournalState.JOURNAL_STATE_RECORD_LOST, '1');
  expect(first).toEqual({ damage: 'record', at: expect.any(Date) });
  // Again, and by an agent that has just started and does not know yet: what is known stands.
  expect(await says(JournalState.JOURNAL_STATE_RECORD_LOST, '2')).toEqual(first);
  expect(await says(JournalState.JOURNAL_STATE_UNSPECIFIED, '3')).toEqual(first);
  expect(await says(JournalState.JOURNAL_STATE_DAMAGED, '4')).toMatchObject({ damage: 'damaged' });
  const figures = await side.app.get(Metrics).registry.metrics();
  expect(figures.match(/^modfleet_journals_damaged_total.*$/gm)).toEqual([
    'modfleet_journals_damaged_total{kind="record"} 1',
    'modfleet_journals_damaged_total{kind="damaged"} 1',
  ]);
  expect(await says(JournalState.JOURNAL_STATE_WHOLE, '5')).toEqual({ damage: '', at: null });
});
