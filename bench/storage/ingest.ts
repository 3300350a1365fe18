import { setTimeout as sleep } from 'node:timers/promises';
import type { FacetStatus, KnownFacet } from '@modfleet/proto';
import type { DatabaseService } from '../../services/server/src/database/database.service.ts';
import type { FacetContent } from '../../services/server/src/ingest/facet-content.ts';
import type { IngestService } from '../../services/server/src/ingest/ingest.service.ts';
import { cpuMs } from './cpu.ts';
import type { FleetModel } from './fleet-model.ts';
import { insertHosts, insertSessions } from './fill.ts';

/** Hosts whose Hello is being answered at the same time. */
const CONNECTING = 200;
/** How often it is looked whether everything is stored. */
const LOOK_MS = 100;
const GIVE_UP_MS = 180_000;

/**
 * Hosts that connect one after the other and say of five facets which content they have; what nobody has sent yet they are asked for and send. All through
 * the server's own ingest, without the network.
 *
 * @param firstSession number of the first of their sessions.
 * @param postmaster see cpuMs.
 * @returns from the first Hello until the last word of the last host is stored: time, and CPU of PostgreSQL and this process.
 */
export async function measureIngest(
  database: DatabaseService,
  ingest: IngestService,
  replicaId: string,
  model: FleetModel,
  firstSession: number,
  postmaster: number,
): Promise<{ readonly seconds: number; readonly cpuSeconds: number }> {
  const hosts = Array.from({ length: model.hosts }, (_, index) => model.host(index));
  const contents = hosts.map((host, index): FacetContent[] => [
    model.content('loaded', host.parts.loaded),
    model.parameters(index),
    model.content('devices', host.parts.devices),
    model.content('config', host.parts.config),
  ]);
  const available = Array.from({ length: model.contents.available }, (_, index) => model.content('available', index));
  await database.tx('READ COMMITTED', async (sql) => {
    await insertHosts(sql, hosts);
    await insertSessions(sql, hosts, replicaId, firstSession);
    await sql.query('UPDATE host_session SET vouched = 0, disconnected_at = NULL WHERE session_no >= $1', [
      firstSession,
    ]);
  });
  const started = performance.now();
  const cpu = cpuMs(postmaster);
  let next = 0;
  const connect = async (index: number): Promise<void> => {
    const host = hosts[index];
    const own = [
      ...(contents[index] ?? []),
      ...available.slice(host?.parts.available, (host?.parts.available ?? 0) + 1),
    ];
    const send = async (facets: readonly KnownFacet[]): Promise<void> => {
      for (const content of own)
        if (facets.includes(content.facet))
          await opened.session.update({
            facet: content.facet,
            digest: Buffer.from(content.hex, 'hex'),
            observedAgeMs: 0,
            content: { $case: 'whole', value: Buffer.from(content.bytes) },
          });
    };
    const peer = {
      hostId: host?.id ?? '',
      sessionNo: firstSession + index,
      bootId: '',
      request: (facets: readonly KnownFacet[]) => void send(facets),
      turnAway: () => undefined,
    };
    const opened = await ingest.connect(peer, own.map(statusOf));
    await send(opened.wanted);
  };
  await Promise.all(
    Array.from({ length: CONNECTING }, async () => {
      while (next < hosts.length) await connect(next++);
    }),
  );
  while ((await stored(database, firstSession)) < hosts.length) {
    if (performance.now() - started > GIVE_UP_MS) throw new Error('the hosts were not stored in three minutes');
    await sleep(LOOK_MS);
  }
  return { seconds: (performance.now() - started) / 1000, cpuSeconds: (cpuMs(postmaster) - cpu) / 1000 };
}

function statusOf({ facet, hex }: FacetContent): FacetStatus {
  return { facet, digest: Buffer.from(hex, 'hex'), observedAgeMs: 0, incapableReason: '' };
}

/** Hosts of whom all five facets are stored. */
async function stored(database: DatabaseService, firstSession: number): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    `SELECT count(*) AS count FROM host_session s JOIN host_inventory i ON i.host_id = s.host_id
      WHERE s.session_no >= $1 AND num_nonnulls(i.loaded, i.parameters, i.available, i.devices, i.config) = 5`,
    [firstSession],
  );
  return row?.count ?? 0;
}
