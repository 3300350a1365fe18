/**
 * What somebody with every right in the database could do to the audit log, without the keys.
 */
import { createHmac, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import type { Sql } from '../../database/database.service.ts';
import { selectRows } from '../audit-read.queries.ts';
import type { SealedRow } from '../audit.model.ts';
import { insertRows } from '../audit.queries.ts';
import { rowBytes, rowLeaf } from '../row-bytes.ts';
import { merkleRoot } from '../merkle.ts';
import { parseRanges, type Seal, sealBytes } from '../seal.model.ts';
import { insertSeal, selectSeals } from '../seal.queries.ts';
import type { Random } from './audit-log.ts';

/** Changes the log in the transaction; says what it did. Undefined: nothing to change here, another draw is needed. */
type Mutation = (sql: Sql, random: Random) => Promise<string | undefined>;

const KEY = 'replica_id = $1 AND lane = $2 AND number = $3';
const keyOf = (row: SealedRow): [string, number, number] => [row.replicaId, row.lane, row.number];
const nameOf = (row: SealedRow): string => keyOf(row).join('.');

async function someRows(sql: Sql, random: Random, count: number): Promise<SealedRow[]> {
  const rows = await selectRows(sql, {});
  return Array.from({ length: count }, () => rows[random(rows.length)] as SealedRow);
}

async function someSeal(sql: Sql, random: Random): Promise<Seal> {
  const seals = await selectSeals(sql, 1, 10_000);
  return seals[random(seals.length)] as Seal;
}

async function lastSeal(sql: Sql): Promise<number> {
  return (await selectSeals(sql, 1, 10_000)).at(-1)?.number ?? 0;
}

/** SQL for another value of a column, of its own type. */
const OTHER_TEXT = (column: string): string[] => [
  `coalesce(${column}, '') || 'x'`,
  `CASE WHEN ${column} IS NULL THEN '' END`,
  `reverse(coalesce(${column}, 'ab'))`,
];
const OTHER_BYTES = (column: string): string[] => [
  `set_byte(coalesce(${column}, decode('00', 'hex')), 0, (get_byte(coalesce(${column}, decode('00', 'hex')), 0) + 1) % 256)`,
  `substr(coalesce(${column}, decode('0000', 'hex')), 2)`,
];
const ROW_CHANGES: Readonly<Record<string, readonly string[]>> = {
  replica_id: ['gen_random_uuid()'],
  lane: ['lane + 1000'],
  number: ['number + 100000'],
  at: [`at + interval '1 millisecond'`, `at - interval '1 hour'`],
  actor_kind: [`actor_kind || 'x'`, `''`],
  actor_id: OTHER_TEXT('actor_id'),
  actor_name: [`actor_name || ' '`, `'somebody else'`],
  via: [`'other'`],
  address: [...OTHER_TEXT('address'), `'203.0.113.9'`],
  request_id: OTHER_TEXT('request_id'),
  what: [`what || 'x'`, `'fleet.thaw'`],
  object: OTHER_TEXT('object'),
  kmod: [...OTHER_TEXT('kmod'), `'floppy'`],
  selector: OTHER_TEXT('selector'),
  target_count: ['target_count + 1'],
  target_root: OTHER_BYTES('target_root'),
  host_ids: [
    `host_ids || gen_random_uuid()`,
    `CASE WHEN target_count > 0 THEN host_ids[2:] ELSE ARRAY[gen_random_uuid()] END`,
  ],
  reason: OTHER_TEXT('reason'),
  details: [...OTHER_TEXT('details'), `details || ' '`],
  outcome: [`outcome || 'x'`, `CASE outcome WHEN 'allowed' THEN 'frozen' ELSE 'allowed' END`],
  key_digest: OTHER_BYTES('key_digest'),
  mac: OTHER_BYTES('mac'),
};
const SEAL_CHANGES: Readonly<Record<string, readonly string[]>> = {
  number: ['number + 100000'],
  at: [`at + interval '1 millisecond'`],
  term: ['term + 1'],
  replica_id: ['gen_random_uuid()'],
  ranges: [`ranges || ' '`, `'[]'`, `regexp_replace(ranges, '[0-9]+\\]\\]$', '1]]')`],
  row_count: ['row_count + 1'],
  root: OTHER_BYTES('root'),
  previous: OTHER_BYTES('previous'),
  key_id: OTHER_BYTES('key_id'),
  signature: OTHER_BYTES('signature'),
};

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)] as T;
}

const changeRow: Mutation = async (sql, random) => {
  const [row] = (await someRows(sql, random, 1)) as [SealedRow];
  const column = pick(random, Object.keys(ROW_CHANGES));
  const value = pick(random, ROW_CHANGES[column] ?? []);
  const changed = await sql.query(
    `UPDATE audit.entry SET ${column} = ${value} WHERE ${KEY} AND ${column} IS DISTINCT FROM (${value}) RETURNING 1`,
    keyOf(row),
  );
  return changed.length === 1 ? `${column} of row ${nameOf(row)} = ${value}` : undefined;
};

const changeSeal: Mutation = async (sql, random) => {
  const seal = await someSeal(sql, random);
  const column = pick(random, Object.keys(SEAL_CHANGES));
  const value = pick(random, SEAL_CHANGES[column] ?? []);
  const changed = await sql.query(
    `UPDATE audit.seal SET ${column} = ${value} WHERE number = $1 AND ${column} IS DISTINCT FROM (${value}) RETURNING 1`,
    [seal.number],
  );
  return changed.length === 1 ? `${column} of seal ${seal.number} = ${value}` : undefined;
};

const deleteOne: Mutation = async (sql, random) => {
  const [row] = (await someRows(sql, random, 1)) as [SealedRow];
  await sql.query(`DELETE FROM audit.entry WHERE ${KEY}`, keyOf(row));
  return `row ${nameOf(row)} deleted`;
};

const deleteMany: Mutation = async (sql, random) => {
  const rows = await someRows(sql, random, 2 + random(20));
  for (const row of rows) await sql.query(`DELETE FROM audit.entry WHERE ${KEY}`, keyOf(row));
  return `${rows.length} rows deleted`;
};

const deleteLane: Mutation = async (sql, random) => {
  const [row] = (await someRows(sql, random, 1)) as [SealedRow];
  const all = random(2) === 0;
  await sql.query(`DELETE FROM audit.entry WHERE replica_id = $1 AND ($2::int IS NULL OR lane = $2)`, [
    row.replicaId,
    all ? null : row.lane,
  ]);
  return `${all ? 'all rows' : `lane ${row.lane}`} of ${row.replicaId} deleted`;
};

const deleteSeal: Mutation = async (sql, random) => {
  const seal = await someSeal(sql, random);
  await sql.query('DELETE FROM audit.seal WHERE number = $1', [seal.number]);
  return `seal ${seal.number} deleted`;
};

function putRow(sql: Sql, row: SealedRow): Promise<void> {
  return insertRows(sql, row, [row]);
}

/** Two rows change places, with everything but their place. */
const swapRows: Mutation = async (sql, random) => {
  const [left, right] = (await someRows(sql, random, 2)) as [SealedRow, SealedRow];
  if (nameOf(left) === nameOf(right)) return undefined;
  await sql.query(`DELETE FROM audit.entry WHERE ${KEY}`, keyOf(left));
  await sql.query(`DELETE FROM audit.entry WHERE ${KEY}`, keyOf(right));
  const at = ({ replicaId, lane, number }: SealedRow) => ({ replicaId, lane, number });
  await putRow(sql, { ...left, ...at(right) });
  await putRow(sql, { ...right, ...at(left) });
  return `rows ${nameOf(left)} and ${nameOf(right)} swapped`;
};

const swapSeals: Mutation = async (sql, random) => {
  const [left, right] = [await someSeal(sql, random), await someSeal(sql, random)];
  if (left.number === right.number) return undefined;
  await sql.query('DELETE FROM audit.seal WHERE number = ANY ($1)', [[left.number, right.number]]);
  await insertSeal(sql, { ...left, number: right.number });
  await insertSeal(sql, { ...right, number: left.number });
  return `seals ${left.number} and ${right.number} swapped`;
};

/** The rows of a lane in another order: each takes the number of the one before, the last that of the first. */
const reorder: Mutation = async (sql, random) => {
  const [row] = (await someRows(sql, random, 1)) as [SealedRow];
  const lane = [row.replicaId, row.lane];
  const turned = await sql.query('SELECT 1 FROM audit.entry WHERE replica_id = $1 AND lane = $2', lane);
  if (turned.length < 2) return undefined;
  await sql.query('CREATE TEMP TABLE turned ON COMMIT DROP AS SELECT * FROM audit.entry');
  await sql.query('DELETE FROM turned WHERE replica_id <> $1 OR lane <> $2', lane);
  await sql.query('DELETE FROM audit.entry WHERE replica_id = $1 AND lane = $2', lane);
  await sql.query('UPDATE turned SET number = 1 + number % (SELECT count(*) FROM turned)');
  await sql.query('INSERT INTO audit.entry SELECT * FROM turned');
  return `lane ${row.lane} of ${row.replicaId} turned by one`;
};

const moveRow: Mutation = async (sql, random) => {
  const [row] = (await someRows(sql, random, 1)) as [SealedRow];
  await sql.query(
    `UPDATE audit.entry SET lane = $4, number = 1 + (SELECT coalesce(max(number), 0) FROM audit.entry WHERE replica_id = $1 AND lane = $4) WHERE ${KEY}`,
    [...keyOf(row), row.lane + 1 + random(3)],
  );
  return `row ${nameOf(row)} moved to another lane`;
};

const duplicate: Mutation = async (sql, random) => {
  const [row] = (await someRows(sql, random, 1)) as [SealedRow];
  switch (random(3)) {
    case 0:
      await sql.query('ALTER TABLE audit.entry DROP CONSTRAINT entry_pkey');
      await putRow(sql, row);
      return `row ${nameOf(row)} twice under its own number`;
    case 1: {
      const [last] = await sql.query<{ number: number }>(
        'SELECT max(number) AS number FROM audit.entry WHERE replica_id = $1 AND lane = $2',
        [row.replicaId, row.lane],
      );
      await putRow(sql, { ...row, number: (last?.number ?? 0) + 1 });
      return `row ${nameOf(row)} again at the end of its lane`;
    }
    default:
      await putRow(sql, { ...row, replicaId: randomUUID(), lane: 0, number: 1 });
      return `row ${nameOf(row)} again as another replica's`;
  }
};

const forge: Mutation = async (sql, random) => {
  const [row] = (await someRows(sql, random, 1)) as [SealedRow];
  const [last] = await sql.query<{ number: number }>(
    'SELECT max(number) AS number FROM audit.entry WHERE replica_id = $1 AND lane = $2',
    [row.replicaId, row.lane],
  );
  const forged = { ...row, number: (last?.number ?? 0) + 1, object: randomUUID(), actorName: 'nobody' };
  const mac = pick(random, [
    randomBytes(32),
    row.mac,
    createHmac('sha256', randomBytes(32)).update(rowBytes(forged)).digest(),
    Buffer.alloc(0),
  ]);
  await putRow(sql, { ...forged, mac });
  return `a forged row after ${nameOf(row)}`;
};

/** The newest rows that have no seal yet. */
const cutUnsealed: Mutation = async (sql, random) => {
  const lanes = await sql.query<{ replica_id: string; lane: number; sealed_to: number; last: number }>(
    `SELECT l.replica_id, l.lane, l.sealed_to, max(e.number) AS last FROM audit_lane l JOIN audit.entry e USING (replica_id, lane)
      GROUP BY 1, 2, 3 HAVING max(e.number) > l.sealed_to ORDER BY 1, 2`,
  );
  if (lanes.length === 0) return undefined;
  const lane = pick(random, lanes);
  const from = lane.sealed_to + 1 + random(lane.last - lane.sealed_to);
  await sql.query('DELETE FROM audit.entry WHERE replica_id = $1 AND lane = $2 AND number >= $3', [
    lane.replica_id,
    lane.lane,
    from,
  ]);
  return `unsealed rows from ${lane.replica_id}.${lane.lane}.${from} on cut`;
};

/** The last seals with all their rows and all later ones: the database as it was. @param rows false: only the seals. */
async function cutAfter(sql: Sql, number: number, rows: boolean): Promise<void> {
  const seals = await selectSeals(sql, 1, 10_000);
  const kept = seals.filter((seal) => seal.number <= number).flatMap((seal) => parseRanges(seal.ranges) ?? []);
  await sql.query('DELETE FROM audit.seal WHERE number > $1', [number]);
  if (!rows) return;
  await sql.query(
    `DELETE FROM audit.entry e WHERE NOT EXISTS (SELECT 1 FROM unnest($1::uuid[], $2::int[], $3::bigint[]) AS r (replica_id, lane, last)
                                                  WHERE r.replica_id = e.replica_id AND r.lane = e.lane AND e.number <= r.last)`,
    [kept.map(({ replicaId }) => replicaId), kept.map(({ lane }) => lane), kept.map(({ to }) => to)],
  );
}

const cutTail: Mutation = async (sql, random) => {
  const last = await lastSeal(sql);
  const number = last - 1 - random(Math.min(last - 1, 5));
  const rows = random(3) > 0;
  await cutAfter(sql, number, rows);
  return `seals after ${number} cut${rows ? ' with their rows' : ''}`;
};

const restoreOlder: Mutation = async (sql, random) => {
  const number = random(await lastSeal(sql));
  await cutAfter(sql, number, true);
  return `the database as it was at seal ${number}`;
};

const emptyAll: Mutation = async (sql) => {
  await sql.query('DELETE FROM audit.entry');
  await sql.query('DELETE FROM audit.seal');
  return 'everything deleted';
};

/** A row is removed, and its seal made anew, by another key. */
const reseal: Mutation = async (sql, random) => {
  const seal = await someSeal(sql, random);
  const range = (parseRanges(seal.ranges) ?? [])[0];
  if (range === undefined) return undefined;
  await sql.query(`UPDATE audit.entry SET reason = 'resealed' WHERE ${KEY}`, [range.replicaId, range.lane, range.from]);
  const rows = (await selectRows(sql, {})).filter(
    (row) => row.replicaId === range.replicaId && row.lane === range.lane,
  );
  const { privateKey } = generateKeyPairSync('ed25519');
  const forged = { ...seal, root: merkleRoot(rows.map((row) => rowLeaf(row))) };
  await sql.query('DELETE FROM audit.seal WHERE number = $1', [seal.number]);
  await insertSeal(sql, { ...forged, signature: sign(null, sealBytes(forged), privateKey) });
  return `seal ${seal.number} made anew over a changed row, by another key`;
};

/** By kind, with how often each is drawn. */
export const MUTATIONS: Readonly<Record<string, readonly [number, Mutation]>> = {
  'change a row': [300, changeRow],
  'change a seal': [120, changeSeal],
  'delete a row': [80, deleteOne],
  'delete many rows': [60, deleteMany],
  'delete a lane or a replica': [30, deleteLane],
  'delete a seal': [50, deleteSeal],
  'swap two rows': [60, swapRows],
  'swap two seals': [30, swapSeals],
  'reorder a lane': [30, reorder],
  'move a row': [30, moveRow],
  'duplicate a row': [60, duplicate],
  'insert a forged row': [60, forge],
  'cut rows that have no seal yet': [60, cutUnsealed],
  'cut the last seals': [80, cutTail],
  'restore an older state': [80, restoreOlder],
  'delete everything': [10, emptyAll],
  'seal anew with another key': [40, reseal],
};
