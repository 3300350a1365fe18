/**
 * Version comparison as package managers do it: dpkg's (lib/dpkg/version.c, verrevcmp) and rpm's (rpmio/rpmvercmp.c), written from their documented rules.
 * Results are -1, 0 or 1.
 */
export type Order = -1 | 0 | 1;

/** dpkg: runs of non-digits by a character order where "~" sorts before the end and letters before the rest, runs of digits by number. */
export function compareDebPart(left: string, right: string): Order {
  let a = 0;
  let b = 0;
  while (a < left.length || b < right.length) {
    while ((a < left.length && !isDigit(left[a])) || (b < right.length && !isDigit(right[b]))) {
      const difference = debWeight(left[a]) - debWeight(right[b]);
      if (difference !== 0) return sign(difference);
      a += 1;
      b += 1;
    }
    const [leftDigits, nextA] = digitsAt(left, a);
    const [rightDigits, nextB] = digitsAt(right, b);
    const order = compareDigits(leftDigits, rightDigits);
    if (order !== 0) return order;
    a = nextA;
    b = nextB;
  }
  return 0;
}

/** rpm: runs of letters and of digits one by one, separators only separate; "~" sorts before everything, "^" after the end only. */
export function compareRpmPart(left: string, right: string): Order {
  let a = left;
  let b = right;
  for (;;) {
    a = a.replace(/^[^A-Za-z0-9~^]+/, '');
    b = b.replace(/^[^A-Za-z0-9~^]+/, '');
    if (a.startsWith('~') || b.startsWith('~')) {
      if (!a.startsWith('~')) return 1;
      if (!b.startsWith('~')) return -1;
      [a, b] = [a.slice(1), b.slice(1)];
      continue;
    }
    if (a.startsWith('^') || b.startsWith('^')) {
      if (a === '') return -1;
      if (b === '') return 1;
      if (!a.startsWith('^')) return 1;
      if (!b.startsWith('^')) return -1;
      [a, b] = [a.slice(1), b.slice(1)];
      continue;
    }
    if (a === '' || b === '') return a === b ? 0 : a === '' ? -1 : 1;
    const numeric = isDigit(a[0]);
    const pattern = numeric ? /^[0-9]+/ : /^[A-Za-z]+/;
    const runA = pattern.exec(a)?.[0] ?? '';
    const runB = pattern.exec(b)?.[0] ?? '';
    // Numbers are newer than letters.
    if (runB === '') return numeric ? 1 : -1;
    const order = numeric ? compareDigits(runA, runB) : compareText(runA, runB);
    if (order !== 0) return order;
    a = a.slice(runA.length);
    b = b.slice(runB.length);
  }
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9';
}

function debWeight(character: string | undefined): number {
  if (character === undefined || isDigit(character)) return 0;
  if (character === '~') return -1;
  const code = character.charCodeAt(0);
  return /[A-Za-z]/.test(character) ? code : code + 256;
}

function digitsAt(text: string, start: number): [string, number] {
  let end = start;
  while (isDigit(text[end])) end += 1;
  return [text.slice(start, end), end];
}

/** Numbers of any length, leading zeros ignored. */
function compareDigits(left: string, right: string): Order {
  const a = left.replace(/^0+/, '');
  const b = right.replace(/^0+/, '');
  return a.length === b.length ? compareText(a, b) : sign(a.length - b.length);
}

function compareText(left: string, right: string): Order {
  return left === right ? 0 : left < right ? -1 : 1;
}

function sign(difference: number): Order {
  return difference < 0 ? -1 : difference > 0 ? 1 : 0;
}
