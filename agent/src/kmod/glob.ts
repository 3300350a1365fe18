const compiled = new Map<string, RegExp>();

/** Patterns that a modprobe.d and an alias table use again and again; more than this is a table being walked, where keeping costs more. */
const MAX_KEPT = 512;

/** fnmatch(3) with flags 0, as libkmod uses it for aliases, install lines and softdeps: `*`, `?`, `[abc]`, `[!abc]`, backslash. */
export function fnmatch(pattern: string, text: string): boolean {
  if (!/[*?[\\]/.test(pattern)) return pattern === text;
  let regexp = compiled.get(pattern);
  if (regexp === undefined) {
    regexp = toRegExp(pattern);
    if (compiled.size < MAX_KEPT) compiled.set(pattern, regexp);
  }
  return regexp.test(text);
}

function toRegExp(pattern: string): RegExp {
  let source = '';
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index] ?? '';
    const close = character === '[' ? pattern.indexOf(']', index + 2) : -1;
    if (character === '*') source += '.*';
    else if (character === '?') source += '.';
    else if (close > 0) {
      source += bracket(pattern.slice(index + 1, close));
      index = close;
    } else if (character === '\\' && index + 1 < pattern.length) source += literal(pattern[++index] ?? '');
    else source += literal(character);
  }
  return new RegExp(`^${source}$`, 's');
}

function bracket(body: string): string {
  const negated = body.startsWith('!') || body.startsWith('^');
  const members = (negated ? body.slice(1) : body).replace(/[\\\]^[]/g, String.raw`\$&`);
  // A range that runs backwards matches nothing.
  try {
    return new RegExp(`[${members}]`).source.replace(/^\[/, negated ? '[^' : '[');
  } catch {
    return '(?!)';
  }
}

function literal(character: string): string {
  return character.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
}
