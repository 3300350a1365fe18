/** A line that is longer is no answer of a program that we run; its beginning is dropped. Characters. */
const MAX_LINE = 64 * 1024;

/** Cuts text that arrives in pieces into lines. (node:readline does it too, for 1.4 MiB of resident memory.) */
export class LineSplitter {
  readonly #end: '\n' | '\0';
  #rest = '';

  constructor(end: '\n' | '\0' = '\n') {
    this.#end = end;
  }

  /** The lines that this piece completes, without their ends. */
  push(piece: string): string[] {
    const lines = (this.#rest + piece).split(this.#end);
    this.#rest = (lines.pop() ?? '').slice(-MAX_LINE);
    return this.#end === '\n' ? lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)) : lines;
  }
}
