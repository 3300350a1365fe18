import { html, Html } from './html.ts';
import type { ResultFile } from './result-file.ts';
import { section } from './section.ts';
import { placeOf, titleOf } from './titles.ts';
import { verdictOf } from './verdict.ts';
import { anchor } from './words.ts';

/** The whole page, with nothing that comes from elsewhere. @param style its CSS */
export function figuresPage(files: readonly ResultFile[], style: string): string {
  const sorted = [...files].sort((a, b) => placeOf(a.name) - placeOf(b.name) || a.name.localeCompare(b.name));
  const all = tally(sorted);
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>modfleet: what was measured</title>
        <style>
          ${new Html(style)}
        </style>
      </head>
      <body>
        <header>
          <h1>modfleet: what was measured</h1>
          <p>
            Every figure that <code>npm run bench</code> and <code>npm run proof</code> have left in
            <code>bench/results</code>, as it was measured: each says on which machine, when, on which commit, and how
            much else the machine had to do (its load; two cores are full at 2). A bar's middle mark is the reach, what
            the figure has to keep to; a bar with a point goes on beyond twice that.
            <code>npm run bench -- page</code> makes this page.
          </p>
          <p class="tally">
            ${all.holds + all.short} figures have a reach: <b class="holds">✓ ${all.holds} hold</b>,
            <b class="short">✗ ${all.short} fall short</b>. ${all.unasked} have none.
          </p>
          <nav aria-label="Results">
            <ul>
              ${sorted.map(navigationLine)}
            </ul>
          </nav>
        </header>
        <main>${sorted.map(section)}</main>
      </body>
    </html> `;
  return page.text.replaceAll(/^ +/gm, '').replaceAll(/\n{2,}/g, '\n');
}

function navigationLine(file: ResultFile): Html {
  const { holds, short } = tally([file]);
  const counts =
    holds + short === 0
      ? undefined
      : html` <small>✓ ${holds}${short === 0 ? undefined : html` <span class="short">✗ ${short}</span>`}</small>`;
  return html`<li><a href="#${anchor(file.name)}">${titleOf(file.name)}</a>${counts}</li>`;
}

function tally(files: readonly ResultFile[]): Record<'holds' | 'short' | 'unasked', number> {
  const counts = { holds: 0, short: 0, unasked: 0 };
  for (const figure of files.flatMap(({ figures }) => figures)) counts[verdictOf(figure)] += 1;
  return counts;
}
