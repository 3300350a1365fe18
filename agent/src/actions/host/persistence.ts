import type { HostFiles } from '../../host/host-files.ts';
import { LISTS_FOLDER, listContent, listPath } from '../../host/host-writes.ts';
import { whyUnreadable } from '../../host/read-outcome.ts';
import type { Persistence } from '../findings/facts.ts';

/** Longest first line that is shown of a foreign file. */
const SHOWN = 200;

/** Whether modfleet lists a kmod to load at boot. A link is nobody's of ours, wherever it leads. */
export async function readPersistence(files: HostFiles, kmod: string): Promise<Persistence> {
  const path = listPath(kmod);
  if ((await files.list(LISTS_FOLDER)).kind === 'not_found') return { path, state: 'no_folder', detail: '' };
  const link = await files.readLink(path);
  if (link.kind === 'ok') return { path, state: 'foreign', detail: `a link to ${link.value}` };
  const text = await files.readText(path);
  if (text.kind === 'not_found') return { path, state: 'absent', detail: '' };
  if (text.kind !== 'ok') return { path, state: 'unreadable', detail: whyUnreadable(path, text) };
  if (text.value === listContent(kmod)) return { path, state: 'ours', detail: '' };
  return { path, state: 'foreign', detail: (text.value.split('\n')[0] ?? '').slice(0, SHOWN) };
}
