import { readFile } from 'node:fs/promises';

/** What the server says as an error of a host that lies, as it should: a person has to look at such a host. */
const OF_A_LYING_HOST: ReadonlySet<string> = new Set([
  'a report of a host is none of an action here; it is kept',
  'a host reports an action under an id that cannot be one',
]);

/** Lines of the server's log that tell of a fault of its own: errors, and whatever is no line of the log (what Node.js prints when it dies). */
export async function faultsInLog(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.filter((line) => {
    try {
      const { level, msg } = JSON.parse(line) as { level?: string; msg?: string };
      if (OF_A_LYING_HOST.has(msg ?? '')) return false;
      return level === 'error' || level === 'fatal' || level === undefined;
    } catch {
      return true;
    }
  });
}
