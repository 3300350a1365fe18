import type { Comparison, Growth } from './groups.ts';
import { html, type Html } from './html.ts';
import { type ChartPoint, FRAME, placePoints } from './line-chart.ts';
import { barOf, type Verdict, verdictOf } from './verdict.ts';
import type { PlacedFigure } from './result-file.ts';
import { inDigits } from './words.ts';

/** Subjects under each other, on one scale from 0. */
export function comparisonChart({ what, unit, of }: Comparison): Html {
  const most = Math.max(...of.map(({ figure }) => figure.value)) || 1;
  return html`<table class="bars">
    <caption>
      ${what}, ${unit}
    </caption>
    ${of.map(
      ({ subject, figure }) =>
        html`<tr>
          <th scope="row">${subject}</th>
          <td>
            <span class="bar ${verdictOf(figure)}" style="width:${((figure.value / most) * 75).toFixed(2)}%"></span>
            ${valueOf(figure)}
          </td>
        </tr>`,
    )}
  </table>`;
}

const BAR = { width: 120, height: 14, arrow: 6 } as const;

/** A bar against its reach, which is marked in the middle. The words beside it say the same. */
export function reachBar(figure: PlacedFigure): Html | undefined {
  const bar = barOf(figure);
  if (bar === undefined) return undefined;
  const { width, height, arrow } = BAR;
  const end = bar.goesOn ? width - arrow : bar.share * width;
  const tip = bar.goesOn
    ? html`<path class="${verdictOf(figure)}" d="M${end} 2L${width} ${height / 2}L${end} ${height - 2}z" />`
    : undefined;
  return html`<svg class="reach" viewBox="0 0 ${width} ${height}" aria-hidden="true">
    <rect class="track" x="0" y="2" width="${width}" height="${height - 4}" />
    <rect class="${verdictOf(figure)}" x="0" y="2" width="${Math.max(1, end).toFixed(1)}" height="${height - 4}" />
    ${tip}
    <path class="mark" d="M${width / 2} 0V${height}" />
  </svg>`;
}

/** Room that a number above a point, or below the axis, takes. */
const LABEL_WIDTH = 40;

const ORIGIN = { x: 0, y: 0 };

/** What falls short has another shape, not only another colour. */
function dot({ x, y }: ChartPoint, verdict: Verdict): Html {
  if (verdict === 'short') return html`<path class="short" d="M${x - 6} ${y}l6 -6l6 6l-6 6z" />`;
  return html`<circle class="${verdict}" cx="${x}" cy="${y}" r="4" />`;
}

function valueOf(figure: PlacedFigure): string {
  return `${inDigits(figure.value)}${verdictOf(figure) === 'short' ? ' ✗' : ''}`;
}

/** A line over the number of hosts; every value stands below it. */
export function growthChart({ part, name, unit, reach, points }: Growth): Html {
  const { points: placed, reachY } = placePoints(
    points.map(({ hosts, figure }) => ({ x: hosts, y: figure.value })),
    reach,
  );
  const { width, height, left, right, bottom } = FRAME;
  const ground = height - bottom;
  // From the largest fleet down: what stands too close to a number already there goes without.
  const labelled = placed.toReversed().reduce<typeof placed>((kept, point) => {
    const next = kept.at(-1);
    return next === undefined || next.x - point.x >= LABEL_WIDTH ? [...kept, point] : kept;
  }, []);
  const reachLine =
    reachY === undefined
      ? undefined
      : html`<path class="mark" d="M${left} ${reachY}H${width - right}" />
          <text x="${width - right + 4}" y="${reachY + 3}">reach</text>`;
  return html`<figure>
    <figcaption><b>${name}</b>, ${unit} <small>(${part})</small></figcaption>
    <svg class="growth" viewBox="0 0 ${width} ${height}" aria-hidden="true">
      <path class="axis" d="M${left} ${ground}H${width - right}" />
      ${reachLine}
      <path class="line" d="M${placed.map(({ x, y }) => `${x} ${y}`).join('L')}" />
      ${points.map(({ figure }, index) => dot(placed[index] ?? ORIGIN, verdictOf(figure)))}
      ${labelled.map(
        ({ x, y, of }, index) =>
          html`<text class="value ${index === 0 ? 'last' : ''}" x="${x}" y="${y - 9}">${inDigits(of.y)}</text>
            <text class="hosts" x="${x}" y="${height - 8}">${inDigits(of.x)}</text>`,
      )}
    </svg>
    <p>
      ${points.map(({ hosts, figure }, index) => `${index === 0 ? '' : ' · '}${inDigits(hosts)} hosts: ${valueOf(figure)}`)}${reach === null ? '' : `; reach ${inDigits(reach)}`}
    </p>
  </figure>`;
}
