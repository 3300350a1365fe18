/**
 * Text of a host or of the server made safe for a terminal: control characters (a kernel log line may hold escape sequences) are shown as
 * \xNN, so that no machine of the fleet can write to the operator's screen. Tabs and newlines become one blank: a cell is one line.
 */
export function clean(text: string): string {
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code === 0x09 || code === 0x0a) out += ' ';
    else if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (isBidiControl(code)) out += `\\u${code.toString(16)}`;
    else out += character;
  }
  return out;
}

/** Characters that reorder what follows on the screen. */
function isBidiControl(code: number): boolean {
  return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code === 0x200e || code === 0x200f;
}
