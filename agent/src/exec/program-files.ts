import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Entries of the agent besides the one that runs: `agent` has all commands, `helper` is the part that acts. */
export type Entry = 'agent' | 'helper';

/** As `tsc` lays them out, seen from this file's folder. */
const COMPILED: Readonly<Record<Entry, string>> = { agent: '../main.js', helper: '../helper/main.js' };

/** The file of an entry: beside this one in a bundle (`npm run bundle-agent`), else where the compiler puts it. */
export function entryFile(entry: Entry): string {
  const bundled = fileURLToPath(new URL(`./${entry}.mjs`, import.meta.url));
  return existsSync(bundled) ? bundled : fileURLToPath(new URL(COMPILED[entry], import.meta.url));
}
