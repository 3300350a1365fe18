import { SelectorError } from './selector.ast.ts';

const BLANK = /[ \t]/;

/** Reads a selector from left to right; every complaint is made at a character. */
export class Scanner {
  readonly text: string;
  offset = 0;
  constructor(text: string) {
    this.text = text;
  }

  skipBlanks(): void {
    while (this.offset < this.text.length && BLANK.test(this.peek())) this.offset += 1;
  }

  /** The next character; empty at the end. */
  peek(): string {
    return this.text[this.offset] ?? '';
  }

  atEnd(): boolean {
    return this.offset >= this.text.length;
  }

  /** Goes past `token` when it is next. */
  take(token: string): boolean {
    if (!this.text.startsWith(token, this.offset)) return false;
    this.offset += token.length;
    return true;
  }

  /** Goes past a keyword such as `in` when it is next and ends there. */
  takeWord(word: string): boolean {
    const after = this.text[this.offset + word.length] ?? ' ';
    return /[ \t(]/.test(after) && this.take(word);
  }

  /** The longest run of characters of a class; empty when there is none. */
  run(characters: RegExp): string {
    const start = this.offset;
    while (!this.atEnd() && characters.test(this.peek())) this.offset += 1;
    return this.text.slice(start, this.offset);
  }

  /** @throws SelectorError at `offset`, by default the next character. */
  fail(message: string, offset = this.offset): never {
    throw new SelectorError(offset, message);
  }

  /** How the next character is named in an error. */
  here(): string {
    return this.atEnd() ? 'the end' : JSON.stringify(String.fromCodePoint(this.text.codePointAt(this.offset) ?? 0));
  }
}
