/** Words further away than this are no misspelling. */
const FAR = 3;

/** The word that was probably meant, whatever its case and however its parts are joined; undefined: none is near. */
export function closest<W extends string>(typed: string, words: readonly W[]): W | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_ ]/g, '');
  const wanted = plain(typed);
  const ranked = words
    .map((word) => ({ word, away: distance(wanted, plain(word)) }))
    .filter(({ word, away }) => away < FAR && away < word.length / 2)
    .sort((a, b) => a.away - b.away);
  return ranked[0]?.word;
}

/** Letters to change, add or drop between two words; a letter that swapped places with its neighbour counts as one. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= a.length; i++) {
    const above = rows[i - 1] ?? [];
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows.at(-1)?.at(-1) ?? 0;
}
