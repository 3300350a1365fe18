import { describe, expect, it } from 'vitest';
import { figure } from '../figures.ts';
import { figuresPage } from './document.ts';
import { readResult } from './result-file.ts';

const AT = { machine: 'a machine', date: '2026-11-29T23:48:18.167Z', commit: 'abc' };

describe('the page of all figures', () => {
  const page = figuresPage(
    [
      readResult('proof-once', { ...AT, worlds: 200_000 }),
      readResult('fleet', {
        ...AT,
        figures: [
          { ...figure('enrol 1000 hosts', 33, 's', 120, 'a <note>'), part: '1000 enrol' },
          { ...figure('enrol 5000 hosts', 130, 's', 120, ''), part: '5000 enrol' },
        ],
      }),
    ],
    'b{}',
  );

  it('says of each result where, when and on what it was measured, the known ones in their order', () => {
    expect([...page.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, title]) => title)).toEqual([
      'Thousands of hosts on one server',
      'Proof: nothing is done twice',
    ]);
    expect(page).toContain('a machine. 2026-11-29 23:48 UTC, commit abc');
  });

  it('counts what holds, and draws what grows', () => {
    expect(page).toContain('✓ 1 hold</b>');
    expect(page).toContain('✗ 1 fall short</b>');
    expect(page).toContain('1,000 hosts: 33 · 5,000 hosts: 130 ✗; reach 120');
  });

  it('asks nothing of a network, and trusts no text', () => {
    expect(page).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    expect(page).not.toContain('<script');
    expect(page).toContain('a &#60;note&#62;');
  });
});
