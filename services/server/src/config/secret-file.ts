import { readFileSync } from 'node:fs';

/** The text of the file that a setting names, without white space around it; undefined where none is named, or it cannot be read, which goes to `problems`. */
export function readSecretFile(setting: string, path: string | undefined, problems: string[]): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    problems.push(`${setting}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
    return undefined;
  }
}
