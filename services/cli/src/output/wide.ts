import type { Sink } from '../io.ts';
import { clean } from './clean.ts';
import { wrap } from './width.ts';

/** A text in lines, each with its end; continued lines begin with `indent`. */
export type Wide = (text: string, indent?: string) => string[];

/** Lines of at most the width of where they go, harmless to it. */
export function wideFor(sink: Sink): Wide {
  return (text, indent = '') => wrap(clean(text), sink.columns, indent).map((line) => `${line}\n`);
}
