import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../command-line/program.ts';
import { fakeIo } from '../testing/fake-io.ts';

const docs = new URL('../../../../docs/', import.meta.url);

/** What stands in capitals is for the reader to fill in; here it becomes what the option takes. */
const PLACES: Readonly<Record<string, string>> = {
  ID: '00000000-0000-4000-8000-000000000000',
  TIME: '24h',
  PREFIX: 'mfl_1a2b3c4d',
};

/** Commands of a page: `typed` after a "$ ", `said` in code within a sentence, also over the end of a line. */
function commandsOf(page: string): { readonly typed: string[]; readonly said: string[] } {
  const text = readFileSync(new URL(page, docs), 'utf8');
  const blocks = [...text.matchAll(/```[a-z]*\n(.*?)```/gs)].map(([, block = '']) => block);
  const typed = blocks.flatMap((block) => [...block.matchAll(/^\$ (modfleet .*)$/gm)].map(([, line = '']) => line));
  const prose = text.replaceAll(/```.*?```/gs, '');
  const said = [...prose.matchAll(/`(modfleet [^`]*)`/g)].map(([, line = '']) => line.replaceAll(/\s+/g, ' '));
  return { typed, said };
}

/** As a shell splits it; a pipe, a redirection or a comment ends it. */
function words(line: string): string[] {
  const [command = ''] = line.split(/ (?:[|>#]|&&|2>) ?/, 1);
  return [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, one, two, three]) => one ?? two ?? three ?? '');
}

/** The error of parsing it, if it is one. Nothing runs. */
async function refusal(line: string): Promise<string | undefined> {
  const argv = words(line)
    .slice(1)
    .map((word) => PLACES[word] ?? word);
  try {
    await buildProgram(fakeIo(), () => Promise.resolve()).parseAsync(argv, { from: 'user' });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const pages = readdirSync(docs).filter((name) => name.endsWith('.md') && name !== 'cli.md');

describe('commands that a page shows', () => {
  it.each(pages)('are whole, as they are typed: docs/%s', async (page) => {
    const { typed, said } = commandsOf(page);
    // A page may speak of a command by its name alone, unless it says that commands stand as they are typed.
    const counts = page === 'security.md' ? () => true : (why: string) => /unknown (option|command)/.test(why);
    const found: string[] = [];
    for (const line of new Set([...typed, ...said])) {
      const why = await refusal(line);
      if (why !== undefined && (typed.includes(line) || counts(why))) found.push(`${line}: ${why}`);
    }
    expect(found).toEqual([]);
  });

  it.each(pages)('stand in fences that are closed: docs/%s', (page) => {
    const fences = readFileSync(new URL(page, docs), 'utf8').match(/^```/gm) ?? [];
    expect(fences.length % 2).toBe(0);
  });

  it('are noticed where they are not', async () => {
    expect(commandsOf('security.md').said.length).toBeGreaterThan(15);
    expect(await refusal('modfleet hosts revoke HOST')).toContain("'--reason <text>' not specified");
    expect(await refusal("modfleet hosts revoke HOST --reason 'key stolen' --yes")).toBeUndefined();
  });
});
