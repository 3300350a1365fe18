import { describe, expect, it } from 'vitest';
import { html } from './html.ts';

describe('what is put on the page', () => {
  it('is escaped unless it is HTML', () => {
    const inner = html`<b>${'a < b & "c"'}</b>`;
    expect(html`<p>${inner}${[1, undefined, '>']}</p>`.text).toBe('<p><b>a &#60; b &#38; &#34;c&#34;</b>1&#62;</p>');
  });
});
