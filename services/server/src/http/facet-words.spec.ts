import { readFileSync } from 'node:fs';
import { BlockRung } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { rungWord } from './common.schema.ts';
import { knownRungWord } from './facet-words.ts';

const page = readFileSync(new URL('../../../../docs/outcomes.md', import.meta.url), 'utf8');

describe('the words of rungs', () => {
  const rungs = Object.values(BlockRung).filter((rung): rung is BlockRung => typeof rung === 'number' && rung > 0);

  it('every rung of the contract has one, and no other', () => {
    expect(rungs.map((rung) => knownRungWord(rung)).sort()).toEqual([...rungWord.options].sort());
  });

  it.each(rungWord.options)('docs/outcomes.md says what %s stops', (word) => {
    expect(page).toContain(`| \`${word}\` |`);
  });
});
