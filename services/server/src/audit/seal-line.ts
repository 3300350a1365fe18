import { type Seal, sealHash } from './seal.model.ts';

/** A line of the exported file: a seal, or row numbers that were not sealed when it was written. */
export type ExportedLine =
  | { readonly kind: 'seal'; readonly seal: Seal }
  | { readonly kind: 'heads'; readonly replicaId: string; readonly lanes: ReadonlyMap<number, number> };

/** One line of JSON, with its line feed. `hash` is there for eyes and other programs. */
export function sealLine(seal: Seal): string {
  const line = {
    seal: seal.number,
    at: new Date(seal.atMs).toISOString(),
    term: seal.term,
    replica: seal.replicaId,
    rows: seal.rowCount,
    ranges: seal.ranges,
    root: seal.root.toString('hex'),
    previous: seal.previous.toString('hex'),
    key: seal.keyId.toString('hex'),
    signature: seal.signature.toString('base64'),
    hash: sealHash(seal).toString('hex'),
  };
  return `${JSON.stringify(line)}\n`;
}

export function headsLine(replicaId: string, atMs: number, lanes: readonly { lane: number; head: number }[]): string {
  const heads = Object.fromEntries(lanes.map(({ lane, head }) => [String(lane), head]));
  return `${JSON.stringify({ heads, at: new Date(atMs).toISOString(), replica: replicaId })}\n`;
}

/** Undefined for what is no line of such a file. */
export function parseExportedLine(text: string): ExportedLine | undefined {
  try {
    const line = JSON.parse(text) as Record<string, unknown>;
    if (typeof line['heads'] === 'object' && line['heads'] !== null) {
      const lanes = new Map(Object.entries(line['heads']).map(([lane, head]) => [Number(lane), Number(head)]));
      return { kind: 'heads', replicaId: String(line['replica']), lanes };
    }
    const seal: Seal = {
      number: Number(line['seal']),
      atMs: Date.parse(String(line['at'])),
      term: Number(line['term']),
      replicaId: String(line['replica']),
      rowCount: Number(line['rows']),
      ranges: String(line['ranges']),
      root: Buffer.from(String(line['root']), 'hex'),
      previous: Buffer.from(String(line['previous']), 'hex'),
      keyId: Buffer.from(String(line['key']), 'hex'),
      signature: Buffer.from(String(line['signature']), 'base64'),
    };
    return Number.isSafeInteger(seal.number) && sealHash(seal).toString('hex') === line['hash']
      ? { kind: 'seal', seal }
      : undefined;
  } catch {
    return undefined;
  }
}
