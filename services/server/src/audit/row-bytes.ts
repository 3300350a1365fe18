import { createHmac, type KeyObject } from 'node:crypto';
import type { AuditRow, SealedRow } from './audit.model.ts';
import { leafHash, merkleRoot } from './merkle.ts';

const ROW_DOMAIN = 'modfleet audit row v1';
type Field = string | number | Buffer | null;

/** Most bytes of UTF-8 for one UTF-16 code unit. */
const BYTES_PER_UNIT = 3;

/**
 * Fields one after the other, each with its length, so that no two lists of fields have the same bytes: 0 for null; 1, u32 length, content. Written into one
 * buffer in one pass: this runs for every row, several times.
 */
export function fieldBytes(domain: string, fields: readonly Field[]): Buffer {
  const contents = fields.map((field) => (typeof field === 'number' ? String(field) : field));
  let most = domain.length + 1;
  for (const content of contents) most += 5 + (content?.length ?? 0) * BYTES_PER_UNIT;
  // Not zeroed: only what is written is given out.
  const bytes = Buffer.allocUnsafe(most);
  let at = bytes.write(domain, 'latin1');
  bytes[at++] = 0;
  for (const content of contents) {
    bytes[at++] = content === null ? 0 : 1;
    if (content === null) continue;
    const from = at + 4;
    const length = typeof content === 'string' ? bytes.write(content, from) : content.copy(bytes, from);
    bytes.writeUInt32BE(length, at);
    at = from + length;
  }
  return bytes.subarray(0, at);
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
export function rowMac(key: KeyObject, bytes: Buffer): Buffer {
  return createHmac('sha256', key).update(bytes).digest();
}

/** The leaf of a row in the tree of its seal. */
export function rowLeaf(row: SealedRow, bytes = rowBytes(row)): Buffer {
  return leafHash(bytes, row.mac);
}

/** Merkle root of a set of hosts: leaves are the 16 bytes of their ids, in ascending order. @param sortedIds lower case. */
export function targetRoot(sortedIds: readonly string[]): Buffer {
  return merkleRoot(sortedIds.map((id) => leafHash(idBytes(id))));
}

function idBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}
