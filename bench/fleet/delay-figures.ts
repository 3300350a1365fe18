import { type Figure, figure } from '../figures.ts';
import type { Delays } from './measured-server.ts';

/** How late the server's event loop was while something went on. */
export function delayFigures(during: string, { p50, p99, max }: Delays): Figure[] {
  const note = `half of them below ${p50.toFixed(1)} ms`;
  return [
    figure(`event loop late, ${during}: p99`, p99, 'ms', 50, note, 1),
    figure(`event loop late, ${during}: longest`, max, 'ms', 250, '', 1),
  ];
}
