import pc from 'picocolors';
import type { Io, Sink } from '../io.ts';

export type Colors = ReturnType<typeof pc.createColors>;

/**
 * Colours for one sink: on a terminal only, and not with NO_COLOR (any value but the empty one, https://no-color.org) or TERM=dumb.
 * Nothing is told by colour alone.
 */
export function colorsFor(io: Pick<Io, 'env'>, sink: Sink): Colors {
  const off = Boolean(io.env['NO_COLOR']) || io.env['TERM'] === 'dumb';
  return pc.createColors(sink.isTty && !off);
}
