import type { HostFiles, ReadOutcome } from '../../host/host-files.ts';
import { mapOutcome } from '../../host/read-outcome.ts';
import { unescape } from './mounts.ts';

const SWAPS = '/proc/swaps';

/** Memory on a file or a block device (proc_swaps(5)). */
export interface Swap {
  /** Of the file or node; a name that is gone still stands there, without the "(deleted)" at its end. */
  readonly path: string;
  readonly type: string;
}

/** All swap in use; none on a kernel without it. */
export async function readSwaps(files: HostFiles): Promise<ReadOutcome<readonly Swap[]>> {
  const text = await files.readText(SWAPS);
  return text.kind === 'not_found' ? { kind: 'ok', value: [] } : mapOutcome(text, parseSwaps);
}

/** Lines of /proc/swaps below its heading: path, type, size, used, priority. */
export function parseSwaps(text: string): Swap[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [path, type] = line.split(/\s+/);
      return path === undefined || type === undefined || path === ''
        ? []
        : [{ path: unescape(path).replace(/ \(deleted\)$/, ''), type }];
    });
}
