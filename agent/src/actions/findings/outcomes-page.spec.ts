import { readFile } from 'node:fs/promises';
import { ALL_OUTCOME_WORDS, FINDING_CODES, findingLayer, FindingLayer, REASON_CODES } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';

const page = await readFile(new URL('../../../../docs/outcomes.md', import.meta.url), 'utf8');

/** First cells of the rows of the table below a heading. */
function rows(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  return [...section.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map((match) => [
    match[1] ?? '',
    ...(match[2] ?? '').split(' | '),
  ]);
}

describe('docs/outcomes.md', () => {
  it('has every finding, in deciding order, with its layer', () => {
    const found = rows('Findings, in the order');
    expect(found.map(([code]) => code)).toEqual(FINDING_CODES);
    const layers = FINDING_CODES.map((code) =>
      findingLayer(code) === FindingLayer.FINDING_LAYER_KERNEL ? 'kernel' : 'policy',
    );
    expect(found.map(([, layer]) => layer)).toEqual(layers);
  });

  it('has every outcome and every reason code', () => {
    expect(
      rows('Outcomes')
        .map(([word]) => word)
        .sort(),
    ).toEqual([...ALL_OUTCOME_WORDS].sort());
    expect(
      rows('Codes of a result')
        .map(([code]) => code)
        .sort(),
    ).toEqual([...REASON_CODES].sort());
  });
});
