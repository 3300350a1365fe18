import { createHash } from 'node:crypto';
import { Facet, HostFacts, type KnownFacet } from '@modfleet/proto';
import { createPartition } from '../../services/server/src/events/partition.queries.ts';
import { insertEvents, type NewEvent } from '../../services/server/src/events/event.queries.ts';
import { type FacetRow, upsertFacets } from '../../services/server/src/ingest/flush.queries.ts';
import { BuildDictionary } from '../../services/server/src/ingest/build-dictionary.ts';
import { KmodDictionary } from '../../services/server/src/ingest/kmod-dictionary.ts';
import { SetWriter } from '../../services/server/src/ingest/set-writer.ts';
import type { DatabaseService, Sql } from '../../services/server/src/database/database.service.ts';
import { seededRandom } from '../../tests/e2e/support/seeded-random.ts';
import type { FleetModel, ModelHost, Part } from './fleet-model.ts';

/** Hosts in one transaction. */
const BATCH = 2_000;
/** Contents in one transaction. */
const SETS = 500;
const PARTS: readonly Part[] = ['available', 'config', 'devices', 'loaded'];
const FRESH_MASK = 0b111110;
const DAY_MS = 86_400_000;

/** Puts a model's hosts into the database: contents, facets and events through the product's own writers, hosts and sessions as those leave them. */
export class Filler {
  readonly #database: DatabaseService;
  readonly #replicaId: string;
  readonly #model: FleetModel;
  readonly #dictionary: KmodDictionary;
  readonly #writer: SetWriter;
  readonly #digests: Record<Part, string[]> = { loaded: [], available: [], devices: [], config: [] };

  constructor(database: DatabaseService, replicaId: string, model: FleetModel) {
    this.#database = database;
    this.#replicaId = replicaId;
    this.#model = model;
    this.#dictionary = new KmodDictionary(database);
    this.#writer = new SetWriter(database, this.#dictionary, new BuildDictionary(database, this.#dictionary));
  }

  async contents(): Promise<void> {
    for (const part of PARTS)
      for (let from = 0; from < this.#model.contents[part]; from += SETS) {
        const indexes = Array.from(
          { length: Math.min(SETS, this.#model.contents[part] - from) },
          (_, each) => from + each,
        );
        const contents = indexes.map((index) => this.#model.content(part, index));
        for (const [at, { hex }] of contents.entries()) this.#digests[part][from + at] = hex;
        await this.#writer.write(contents.map((content) => ({ hostId: '', content })));
      }
  }

  /** Hosts, their sessions, facets and parameters. */
  async hosts(): Promise<void> {
    for (let from = 0; from < this.#model.hosts; from += BATCH) {
      const indexes = Array.from({ length: Math.min(BATCH, this.#model.hosts - from) }, (_, each) => from + each);
      const hosts = indexes.map((index) => this.#model.host(index));
      const contents = indexes.map((index) => this.#model.parameters(index));
      await this.#database.tx('READ COMMITTED', async (sql) => {
        await insertHosts(sql, hosts);
        await insertSessions(sql, hosts, this.#replicaId, from + 1);
        await upsertFacets(
          sql,
          hosts.flatMap((host, at) => this.#facetRows(host, from + 1 + at, contents[at]?.hex)),
        );
      });
      await this.#writer.write(contents.map((content, at) => ({ hostId: hosts[at]?.id ?? '', content })));
    }
    await this.#database.query(`SELECT setval('host_session_no_seq', $1)`, [this.#model.hosts + 1]);
    await this.#unhurried('VACUUM (ANALYZE)');
  }

  /** On a connection of its own: the server's own statements are given up after 15 s. */
  async #unhurried(text: string): Promise<void> {
    const client = await this.#database.pool.connect();
    try {
      await client.query('SET statement_timeout = 0');
      await client.query(text);
    } finally {
      client.release(true);
    }
  }

  #facetRows(host: ModelHost, sessionNo: number, parameters: string | undefined): FacetRow[] {
    const row = (facet: KnownFacet, hex: string | undefined): FacetRow => ({
      hostId: host.id,
      sessionNo,
      facet,
      hex: hex ?? null,
      reason: null,
      ageMs: 60_000,
    });
    return [
      row(Facet.FACET_LOADED, this.#digests.loaded[host.parts.loaded]),
      row(Facet.FACET_PARAMETERS, parameters),
      row(Facet.FACET_AVAILABLE, this.#digests.available[host.parts.available]),
      row(Facet.FACET_DEVICES, this.#digests.devices[host.parts.devices]),
      row(Facet.FACET_CONFIG, this.#digests.config[host.parts.config]),
    ];
  }

  /**
   * What came and went over `days`, oldest first: pairs of a rare kmod that was loaded and unloaded an hour later, evenly spread over hosts and time.
   *
   * @returns how many events.
   */
  async history(days: number, eventsPerHost: number): Promise<number> {
    await this.#partitions(days);
    const pairs = Math.round((this.#model.hosts * eventsPerHost) / 2);
    const ids = await this.#dictionary.ids(Array.from({ length: 400 }, (_, each) => `tail_${1_000 + each}`));
    const kmods = [...ids.values()];
    const random = seededRandom(7);
    let events: NewEvent[] = [];
    for (let pair = 0; pair < pairs; pair += 1) {
      const ageMs = (days - 1) * DAY_MS * (1 - pair / pairs) + 3_600_000 + 60_000;
      const hostId = this.#model.host(Math.floor(random() * this.#model.hosts)).id;
      const kmodId = kmods[Math.floor(random() * kmods.length)] ?? 0;
      const event = { hostId, kmodId, actionId: null, source: 'uevent', detail: null };
      events.push({ ...event, kind: 1, ageMs }, { ...event, kind: 2, ageMs: ageMs - 3_600_000 });
      if (events.length >= 2 * BATCH || pair === pairs - 1) {
        await insertEvents(this.#database, events);
        events = [];
      }
    }
    await this.#unhurried('VACUUM (ANALYZE) kmod_event');
    return pairs * 2;
  }

  /**
   * Hosts that came back with another kernel two days ago: every loaded kmod has changed.
   *
   * @returns how many events.
   */
  async kernelUpdates(hosts: number): Promise<number> {
    const detail = {
      buildId: { from: '5f'.repeat(20), to: 'a0'.repeat(20) },
      size: { from: 16_384, to: 20_480 },
    };
    const ids = [
      ...(await this.#dictionary.ids(Array.from({ length: this.#model.kmods }, (_, each) => `tail_${each}`))).values(),
    ];
    const event = { kind: 3, ageMs: 2 * DAY_MS, actionId: null, source: 'inventory', detail };
    for (let host = 0; host < hosts; host += 1) {
      const hostId = this.#model.host(host).id;
      await insertEvents(
        this.#database,
        ids.map((kmodId) => ({ ...event, hostId, kmodId })),
      );
    }
    return hosts * ids.length;
  }

  /** Connections that ended two days ago, of the first hosts. @returns how many. */
  async connections(count: number): Promise<number> {
    for (let from = 0; from < count; from += BATCH)
      await this.#database.query(
        `INSERT INTO host_seen (host_id, seen_from, seen_until) SELECT id, now() - interval '3 days', now() - interval '2 days' FROM unnest($1::uuid[]) AS id`,
        [
          Array.from(
            { length: Math.min(BATCH, count - from) },
            (_, each) => this.#model.host((from + each) % this.#model.hosts).id,
          ),
        ],
      );
    return count;
  }

  async #partitions(days: number): Promise<void> {
    const weeks = await this.#database.query<{ name: string; from: string; to: string }>(
      `SELECT 'kmod_event_' || to_char(w, 'YYYYMMDD') AS name, to_char(w, 'YYYY-MM-DD"T00:00:00Z"') AS "from",
              to_char(w + interval '7 days', 'YYYY-MM-DD"T00:00:00Z"') AS "to"
         FROM generate_series(date_trunc('week', now() AT TIME ZONE 'UTC') - make_interval(days => $1),
                              date_trunc('week', now() AT TIME ZONE 'UTC') - interval '14 days', interval '7 days') AS w`,
      [7 * Math.ceil(days / 7) + 7],
    );
    for (const week of weeks)
      await this.#database.tx('READ COMMITTED', (sql) => createPartition(sql, 'kmod_event', week));
  }
}

/** As enrolment leaves them, joined 100 days ago. */
export async function insertHosts(sql: Sql, hosts: readonly ModelHost[]): Promise<void> {
  const rows = hosts.map((host) => ({
    id: host.id,
    name: host.name,
    machine_id: createHash('md5').update(host.id).digest('hex'),
    facts: HostFacts.toJSON(
      HostFacts.fromPartial({
        hostname: host.name,
        kernelRelease: host.release,
        architecture: 'x86_64',
        osId: 'debian',
        osVersionId: '12',
        osPrettyName: 'Debian GNU/Linux 12 (bookworm)',
        packageFamily: 'deb',
        mode: 'act',
        policy: { allow: [], deny: ['kvm*'], protected: [] },
      }),
    ),
    kernel_release: host.release,
    kernel_series: host.release.split('.').slice(0, 2).join('.'),
    labels: host.labels,
    quarantined: host.standing === 'quarantined',
  }));
  await sql.query(
    `INSERT INTO host (id, name, machine_id, facts, kernel_release, kernel_series, os_id, os_version_id, arch, package_family, agent_version, mode, labels,
                       key_fingerprint, certificate_serial, renewal_counter, certificate_not_after, join_token_id, enrolled_at, last_seen_at, last_boot_id,
                       last_address, quarantined_at, quarantine_reason)
     SELECT r.id, r.name, r.machine_id, r.facts, r.kernel_release, r.kernel_series, 'debian', '12', 'x86_64', 'deb', '0.1.0', 'act', r.labels,
            sha256(r.id::text::bytea), left(md5(r.id::text), 32), 1, now() + interval '30 days', '00000000-0000-4000-8000-000000000001',
            now() - interval '100 days', now(), gen_random_uuid()::text, '192.0.2.7:40000',
            CASE WHEN r.quarantined THEN now() END, CASE WHEN r.quarantined THEN 'two machines have its key' END
       FROM jsonb_to_recordset($1::jsonb)
         AS r (id uuid, name text, machine_id text, facts jsonb, kernel_release text, kernel_series text, labels jsonb, quarantined boolean)`,
    [JSON.stringify(rows)],
  );
}

/** Sessions of this replica, numbered from `first` on. */
export async function insertSessions(
  sql: Sql,
  hosts: readonly ModelHost[],
  replicaId: string,
  first: number,
): Promise<void> {
  await sql.query(
    `INSERT INTO host_session (host_id, session_no, replica_id, connected_at, boot_id, address, vouched, disconnected_at)
     SELECT v.id, $2 + v.place - 1, $3, now() - interval '3 days', gen_random_uuid()::text, '192.0.2.7:40000', v.mask,
            CASE WHEN v.ended THEN now() - interval '1 hour' END
       FROM unnest($1::uuid[], $4::int[], $5::boolean[]) WITH ORDINALITY AS v (id, mask, ended, place)`,
    [
      hosts.map(({ id }) => id),
      first,
      replicaId,
      hosts.map(({ standing }) => (standing === 'silent' ? 0 : standing === 'stale' ? FRESH_MASK & ~0b10 : FRESH_MASK)),
      hosts.map(({ standing }) => standing === 'silent'),
    ],
  );
}
