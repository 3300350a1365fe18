import type { HostRef, KmodSkew, KmodSkewItem, KmodSkewVariant } from '../api-types.ts';
import { eventKindWord } from '../events/event-words.ts';
import { orNull } from '../http/facet-words.ts';
import { type FirstEventRow, SEPARATOR, type SkewRow, type VariantRow } from './skew.queries.ts';

const EXAMPLES = 10;
const ID_LENGTH = 36;

export function toSkewItem(row: SkewRow, first: FirstEventRow | undefined): KmodSkewItem {
  return {
    name: row.name,
    hosts: row.hosts,
    builds: { kernels: row.build_kernels, hosts: row.build_hosts },
    versions: { kernels: row.version_kernels, hosts: row.version_hosts },
    signers: { kernels: row.signer_kernels, hosts: row.signer_hosts },
    fileDiffers: row.file_differs,
    fileMissing: row.file_missing,
    fileUnknown: row.file_unknown,
    outOfTree: row.out_of_tree,
    unsigned: row.unsigned,
    first: toFirst(first),
  };
}

export function toFirst(row: FirstEventRow | undefined): KmodSkew['first'] {
  if (row === undefined) return null;
  return {
    at: row.at.toISOString(),
    host: { id: row.host_id, name: row.host_name },
    kind: eventKindWord(row.kind) === 'changed' ? 'changed' : 'loaded',
    actionId: row.action_id,
  };
}

export function toVariant(row: VariantRow): KmodSkewVariant {
  const [at = '', id = '', ...name] = row.oldest.split(' ');
  return {
    kernel: { release: row.release, version: row.kernel, architecture: row.arch },
    buildId: orNull(row.build),
    version: orNull(row.version),
    srcversion: orNull(row.srcversion),
    taint: row.taint,
    outOfTree: row.taint.includes('O'),
    unsigned: row.unsigned,
    signer: orNull(row.signer),
    file: row.file,
    hosts: row.hosts,
    mostCommon: row.hosts === row.most,
    examples: someHosts(row.sample),
    oldest: { host: { id, name: name.join(' ') }, receivedAt: at },
  };
}

/** By name. What was read holds ten whole ones and is cut off behind them. */
function someHosts(sample: string): HostRef[] {
  return sample
    .split(SEPARATOR)
    .slice(0, EXAMPLES)
    .map((entry) => ({ id: entry.slice(0, ID_LENGTH), name: entry.slice(ID_LENGTH + 1) }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}
