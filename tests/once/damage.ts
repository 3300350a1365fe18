/** How the last record of a journal is damaged. `at` and `to`: shares of it, 0 to 1. */
export type Damage =
  | { readonly how: 'cut'; readonly at: number }
  | { readonly how: 'zeroed'; readonly at: number; readonly to: number }
  | { readonly how: 'flipped'; readonly at: number; readonly bit: number };

/** Damages the last record of a journal, its seal included; at least one byte of it changes. Undefined when there is no record. */
export function damaged(journal: Buffer, damage: Damage): Buffer | undefined {
  const start = startOfLast(journal);
  if (start === undefined) return undefined;
  const length = journal.length - start;
  const place = (share: number): number => start + Math.min(length - 1, Math.floor(share * length));
  switch (damage.how) {
    case 'cut':
      // A record that is gone without a trace is another journal, not a damaged one.
      return journal.subarray(0, Math.max(start + 1, place(damage.at)));
    case 'zeroed': {
      const [from, to] = [place(damage.at), place(damage.to)].sort((a, b) => a - b);
      return Buffer.from(journal).fill(0, from, (to ?? 0) + 1);
    }
    case 'flipped': {
      const flipped = Buffer.from(journal);
      const index = place(damage.at);
      flipped.writeUInt8(flipped.readUInt8(index) ^ (1 << damage.bit), index);
      return flipped;
    }
  }
}

/** Where the last record begins; its seal is the line after it. */
function startOfLast(journal: Buffer): number | undefined {
  const lines = journal.toString('utf8').split('\n');
  const whole = lines.at(-1) === '' ? lines.slice(0, -1) : lines;
  if (whole.length < 2) return undefined;
  const count = whole.at(-1)?.endsWith('{"kind":"sealed"}') === true && whole.length > 2 ? 2 : 1;
  return Buffer.byteLength(`${whole.slice(0, -count).join('\n')}\n`);
}
