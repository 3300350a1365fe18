/**
 * True when a modalias pattern (fnmatch: `*`, `?`, `[…]`) stands for `text`, or is written as `text`. "-" and "_" are one, as modprobe has it.
 */
export function aliasMatches(pattern: string, text: string): boolean {
  const foldedPattern = fold(pattern);
  const foldedText = fold(text);
  return foldedPattern === foldedText || patternExpression(foldedPattern).test(foldedText);
}

/** All beginnings of a text, the empty one and the whole included: an alias can only match when its literal prefix is one of them. */
export function beginningsOf(text: string): string[] {
  const folded = fold(text);
  return Array.from({ length: folded.length + 1 }, (_, length) => folded.slice(0, length));
}

function fold(text: string): string {
  return text.replaceAll('-', '_');
}

/** Folding would also have turned the "-" of a bracket's range into "_": ranges such as [0-9] are read back. */
function patternExpression(pattern: string): RegExp {
  let source = '';
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern.charAt(index);
    const bracket = character === '[' ? /^\[(!?)([^\]]+)\]/.exec(pattern.slice(index)) : null;
    if (bracket !== null) {
      const [whole, negated, members = ''] = bracket;
      const ranges = members
        .replaceAll(/[\\^\]]/g, String.raw`\$&`)
        .replaceAll(/([A-Za-z0-9])_([A-Za-z0-9])/g, '$1-$2');
      source += `[${negated === '!' ? '^' : ''}${ranges}]`;
      index += whole.length - 1;
    } else if (character === '*') source += '.*';
    else if (character === '?') source += '.';
    else source += character.replace(/[\\^$.*+?()[\]{}|/]/, String.raw`\$&`);
  }
  return new RegExp(`^${source}$`, 's');
}
