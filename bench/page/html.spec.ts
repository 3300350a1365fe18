import { describe, expect, it } from 'vitest';
import { html } from './html.ts';
import { anchor, inDigits, inMinutes } from './words.ts';

describe('what is put on the page', () => {
  it('is escaped unless it is HTML', () => {
    const inner = html`<b>${'a < b & "c"'}</b>`;
    expect(html`<p>${inner}${[1, undefined, '>']}</p>`.text).toBe('<p><b>a &#60; b &#38; &#34;c&#34;</b>1&#62;</p>');
  });

  it('is written so that it can be read', () => {
    expect([inDigits(18_001), inDigits(0.082), inDigits(33)]).toEqual(['18,001', '0.082', '33']);
    expect([inMinutes('2026-11-29T23:48:18.167Z'), inMinutes('')]).toEqual(['2026-11-29 23:48 UTC', '']);
    expect(anchor('100000 hosts, 30 % distinct')).toBe('100000-hosts-30-distinct');
  });
});
