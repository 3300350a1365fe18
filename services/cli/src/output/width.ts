import { stripVTControlCharacters } from 'node:util';

/** Columns that a text takes on a terminal, colours not counted; wide East Asian characters and emoji take two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) width += characterWidth(character.codePointAt(0) ?? 0);
  return width;
}

function characterWidth(code: number): number {
  if (code >= 0x300 && code <= 0x36f) return 0;
  const wide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff);
  return wide ? 2 : 1;
}

/** The text cut to so many columns, with an ellipsis where something is missing. For plain text: colours are put on afterwards. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  if (columns <= 1) return '…'.slice(0, columns);
  let out = '';
  let width = 0;
  for (const character of text) {
    const next = characterWidth(character.codePointAt(0) ?? 0);
    if (width + next > columns - 1) break;
    out += character;
    width += next;
  }
  return `${out}…`;
}

/**
 * Words put into lines of at most so many columns; continued lines begin with `indent`. White space at the front stays; a word longer than a
 * line stays whole.
 */
export function wrap(text: string, columns: number | undefined, indent = ''): string[] {
  if (columns === undefined) return [text];
  const lines: string[] = [];
  const front = /^ */.exec(text)?.[0] ?? '';
  let line = '';
  for (const word of text.slice(front.length).split(' ')) {
    const candidate = line === '' ? front + word : `${line} ${word}`;
    if (displayWidth(candidate) > columns && line.trim() !== '') {
      lines.push(line);
      line = indent + word;
    } else line = candidate;
  }
  return [...lines, line];
}
