import type { Io, Sink, Source } from '../io.ts';
import { visible } from './clean.ts';

/** The same world, in which nothing is written that cannot be seen. */
export function visibleIo(io: Io): Io {
  return { ...io, out: visibleSink(io.out), err: visibleSink(io.err), input: visibleSource(io.input) };
}

function visibleSink(sink: Sink): Sink {
  return {
    write: (text) => sink.write(visible(text)),
    drained: () => sink.drained(),
    get isTty() {
      return sink.isTty;
    },
    get columns() {
      return sink.columns;
    },
  };
}

function visibleSource(source: Source): Source {
  return {
    get isTty() {
      return source.isTty;
    },
    readAll: () => source.readAll(),
    readLine: (prompt, secret) => source.readLine(visible(prompt), secret),
  };
}
