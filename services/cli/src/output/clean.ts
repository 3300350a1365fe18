/*
 * What a machine of the fleet, or somebody's text at the server, says is shown so that it cannot write to the operator's screen: no control character (a
 * kernel log line may hold escape sequences), none that reorders or hides what stands beside it. Twice: `clean` for every cell and sentence, and `visible`
 * for all that is written, so that one that is forgotten shows as well.
 */

/** Characters without a shape of their own: they reorder a line (U+202E), join or part words unseen, or end a line for some programs alone. */
const INVISIBLE = String.raw`\p{Cf}\p{Zl}\p{Zp}`;
const UNCLEAN = new RegExp(String.raw`[\p{Cc}${INVISIBLE}]`, 'gu');
/** C0 characters are left to `clean`: colours, and what moves the cursor of a progress line, are ours. */
const UNSEEN = new RegExp(String.raw`[\u007f-\u009f${INVISIBLE}]`, 'gu');

/** Text for one line: control characters as \xNN, invisible ones as \uNNNN; tabs and newlines become one blank. */
export function clean(text: string): string {
  return text.replaceAll(UNCLEAN, (character) => {
    if (character === '\t' || character === '\n') return ' ';
    const code = character.charCodeAt(0);
    return code <= 0x9f ? `\\x${code.toString(16).padStart(2, '0')}` : escaped(character);
  });
}

/** Any output, JSON too: there an escape like \u202e is the same text, and these characters stand within texts alone. */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, escaped);
}

function escaped(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
