import { comparisonChart, growthChart, reachBar } from './charts.ts';
import { byPart, comparisons, growth } from './groups.ts';
import { html, type Html } from './html.ts';
import type { Fact, FactRow, MeasuredAt, PlacedFigure, ResultFile } from './result-file.ts';
import { titleOf } from './titles.ts';
import { isLeast, VERDICT_WORDS, verdictOf } from './verdict.ts';
import { anchor, inDigits, inMinutes } from './words.ts';

/** What one file of results says. */
export function section(file: ResultFile): Html {
  const { name, figures, facts } = file;
  const beside = comparisons(name, figures);
  const lines = growth(figures);
  return html`<section id="${anchor(name)}">
    <h2>${titleOf(name)}</h2>
    <p class="where">
      ${file.machine}. ${when(file)}. <a href="../bench/results/${name}.json"><code>${name}.json</code></a>
    </p>
    ${
      beside.length === 0
        ? undefined
        : html`<h3>Side by side</h3>
            <div class="grid wide">${beside.map(comparisonChart)}</div>`
    }
    ${
      lines.length === 0
        ? undefined
        : html`<h3>As the fleet grows</h3>
            <div class="grid">${lines.map(growthChart)}</div>`
    }
    ${[...byPart(figures)].map(([part, those]) => figureTable(part, those, file))}
    ${facts.length === 0 ? undefined : factList(facts)}
  </section>`;
}

function when({ date, commit, loadAverage }: MeasuredAt): string {
  const load = loadAverage === undefined ? '' : `, load ${inDigits(loadAverage)} as it began`;
  return `${date === '' ? 'No date kept' : inMinutes(date)}, commit ${commit === '' ? 'not kept' : commit}${load}`;
}

function figureTable(part: string, figures: readonly PlacedFigure[], file: ResultFile): Html {
  const [first] = figures;
  return html`<div class="scrolls">
    <table class="figures">
      <caption>
        ${part === '' ? 'All' : part}
        <small>${when(first ?? file)}</small>
      </caption>
      <thead>
        <tr>
          <th scope="col">figure</th>
          <th scope="col" class="number">measured</th>
          <th scope="col" class="number">reach</th>
          <th scope="col">against reach</th>
          <th scope="col">verdict</th>
          <th scope="col">how</th>
        </tr>
      </thead>
      <tbody>
        ${figures.map(figureRow)}
      </tbody>
    </table>
  </div>`;
}

function figureRow(figure: PlacedFigure): Html {
  const { name, value, unit, reach, note } = figure;
  const verdict = verdictOf(figure);
  return html`<tr>
    <th scope="row">${name}</th>
    <td class="number"><b>${inDigits(value)}</b> ${unit}</td>
    <td class="number">${reach === null ? '–' : `at ${isLeast(figure) ? 'least' : 'most'} ${inDigits(reach)}`}</td>
    <td>${reachBar(figure)}</td>
    <td class="verdict ${verdict}">${VERDICT_WORDS[verdict]}</td>
    <td class="note">${shortened(note)}</td>
  </tr>`;
}

/** Most notes fit; what comes after this is there for who wants it. */
const NOTE_SHOWN = 140;

function shortened(note: string): Html {
  if (note.length <= NOTE_SHOWN) return html`${note}`;
  const end = note.lastIndexOf(' ', NOTE_SHOWN);
  return html`<details>
    <summary>${note.slice(0, end)} …</summary>
    ${note.slice(end)}
  </details>`;
}

/** A proof has counts and no reach: one thing that is wrong is one too many. */
function factList(facts: readonly Fact[]): Html {
  const tables = facts.flatMap(({ name, value }) => (typeof value === 'object' ? [factTable(name, value)] : []));
  const single = facts.filter(({ value }) => typeof value !== 'object');
  return html`<dl>
      ${single.map(
        ({ name, value }) =>
          html`<div>
            <dt>${spaced(name)}</dt>
            <dd>${word(name, value as FactRow[string])}</dd>
          </div>`,
      )}
    </dl>
    <div class="tables">${tables}</div>`;
}

function factTable(name: string, rows: readonly FactRow[]): Html {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((column) => !SAID_ABOVE.has(column));
  return html`<details${rows.length <= ROWS_OPEN ? html` open` : undefined}>
    <summary>${spaced(name)} (${rows.length})</summary>
    <div class="scrolls">
      <table class="facts">
        <thead>
          <tr>
            ${columns.map((column) => html`<th scope="col">${spaced(column)}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) =>
              html`<tr>
                ${columns.map((column) => html`<td${typeof row[column] === 'number' ? html` class="number"` : undefined}>${word(column, row[column])}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

/** A table of so many rows is seen at once; a longer one when it is asked for. */
const ROWS_OPEN = 20;
const SAID_ABOVE = new Set(['machine']);
/** It names a run: no number to read. */
const SEED = 'seed';

function word(name: string, value: FactRow[string] | undefined): string {
  if (typeof value === 'number') return name === SEED ? String(value) : inDigits(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return value === undefined ? '' : inMinutes(value);
}

/** `medianBackMs` as `median back ms`. */
function spaced(name: string): string {
  return name.replaceAll(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
}
