import { readFile } from 'node:fs/promises';

/** Lines of the server's log that tell of a fault of its own: errors, and whatever is no line of the log (what Node.js prints when it dies). */
export async function faultsInLog(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.filter((line) => {
    try {
      const { level } = JSON.parse(line) as { level?: string };
      return level === 'error' || level === 'fatal' || level === undefined;
    } catch {
      return true;
    }
  });
}
