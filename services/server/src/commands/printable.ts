/**
 * What a command prints, made safe for a terminal as `modfleet` does it: control characters are shown as \xNN, and characters that reorder what follows as
 * \uNNNN, so that no name of a host writes to the operator's screen. Lines and tabs stay.
 */
export function printable(text: string): string {
  return text.replaceAll(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}

// C0 but tab and newline, DEL and C1; then what reorders: marks, embeddings, overrides and isolates.
const UNSAFE = /[^\P{Cc}\t\n]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
