import { createHmac } from 'node:crypto';
import type { AuditRow, SealedRow } from './audit.model.ts';
import { leafHash, merkleRoot } from './merkle.ts';

const ROW_DOMAIN = 'modfleet audit row v1';
const ABSENT = Buffer.of(0);

type Field = string | number | Buffer | null;

/** Fields one after the other, each with its length, so that no two lists of fields have the same bytes: 0 for null; 1, u32 length, content. */
export function fieldBytes(domain: string, fields: readonly Field[]): Buffer {
  return Buffer.concat([Buffer.from(`${domain}\0`), ...fields.flatMap(encoded)]);
}

function encoded(field: Field): Buffer[] {
  if (field === null) return [ABSENT];
  const content = Buffer.isBuffer(field) ? field : Buffer.from(String(field));
  const head = Buffer.alloc(5, 1);
  head.writeUInt32BE(content.length, 1);
  return [head, content];
}

/** What a row's mac is over: every column but the mac. */
export function rowBytes(row: AuditRow): Buffer {
  return fieldBytes(ROW_DOMAIN, [
    row.replicaId,
    row.lane,
    row.number,
    row.atMs,
    row.actorKind,
    row.actorId,
    row.actorName,
    row.via,
    row.address,
    row.requestId,
    row.what,
    row.object,
    row.kmod,
    row.selector,
    row.targetCount,
    row.targetRoot,
    Buffer.concat(row.hostIds.map(idBytes)),
    row.reason,
    row.details,
    row.outcome,
    row.keyDigest,
  ]);
}

/** HMAC-SHA-256. @param key {@link ServerKeys.sealKey} for `audit`. */
export function rowMac(key: Buffer, bytes: Buffer): Buffer {
  return createHmac('sha256', key).update(bytes).digest();
}

/** The leaf of a row in the tree of its seal. */
export function rowLeaf(row: SealedRow, bytes = rowBytes(row)): Buffer {
  return leafHash(Buffer.concat([bytes, row.mac]));
}

/** Merkle root of a set of hosts: leaves are the 16 bytes of their ids, in ascending order. @param sortedIds lower case. */
export function targetRoot(sortedIds: readonly string[]): Buffer {
  return merkleRoot(sortedIds.map((id) => leafHash(idBytes(id))));
}

function idBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}
