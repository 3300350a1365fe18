import type { ReloadPath } from '@modfleet/server/api-types';
import type { Wide } from '../../output/wide.ts';
import { waysBack } from '../../actions/ways-back.ts';

/** Ways back in a line; the JSON has them all. */
const SHOWN = 4;

/** What can bring a kmod back, on the first host of a class; what is not known is said as such. */
export function waysBackOf(paths: readonly ReloadPath[], words: string, wide: Wide): string[] {
  const { seen, unknown } = waysBack(paths);
  const named = seen.slice(0, SHOWN).map(({ kind, value }) => `${kind} ${value}`);
  const more = seen.length > named.length ? ` and ${seen.length - named.length} more` : '';
  return [
    ...(seen.length === 0 ? [] : wide(`    ${words}: ${named.join(', ')}${more}`, '      ')),
    ...unknown.flatMap((why) =>
      wide(`    whether anything ${seen.length > 0 ? 'else ' : ''}${words} is not known: ${why}`, '      '),
    ),
  ];
}
