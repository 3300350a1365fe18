import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { laneName, type Seal, sealHash } from './seal.model.ts';
import type { SealVerifier } from './seal-key.ts';
import { parseExportedLine } from './seal-line.ts';
import type { Problems, VerifyReport } from './verify.model.ts';
import type { LaneCensus } from './verify.queries.ts';

/** Compares the database with seals that were exported, seal by seal. */
export interface ExportCheck {
  begin(problems: Problems, verifier: SealVerifier): Promise<void>;
  /** @param seal the next one of the database. */
  compare(seal: Seal): Promise<void>;
  /** @param last the last one of the database. */
  end(last: Seal | undefined, census: readonly LaneCensus[]): Promise<void>;
  summary(): VerifyReport['exported'];
}

/** Nothing to compare with. */
export const NO_EXPORT: ExportCheck = {
  begin: () => Promise.resolve(),
  compare: () => Promise.resolve(),
  end: () => Promise.resolve(),
  summary: () => null,
};

/** Reads the exported file beside the database, line by line. */
export class ExportedFile implements ExportCheck {
  readonly #path: string;
  readonly #heads = new Map<string, number>();
  #problems: Problems | undefined;
  #verifier: SealVerifier | undefined;
  #lines: AsyncIterator<string> | undefined;
  #line = 0;
  #waiting: Seal | undefined;
  #last: Seal | undefined;
  #seals = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async begin(problems: Problems, verifier: SealVerifier): Promise<void> {
    this.#problems = problems;
    this.#verifier = verifier;
    const input = createReadStream(this.#path);
    this.#lines = createInterface({ input, crlfDelay: Infinity })[Symbol.asyncIterator]();
    this.#waiting = await this.#next();
  }

  async compare(seal: Seal): Promise<void> {
    while (this.#waiting !== undefined && this.#waiting.number < seal.number) {
      this.#lacks(this.#waiting);
      this.#waiting = await this.#next();
    }
    if (this.#waiting?.number !== seal.number) return;
    if (!sealHash(this.#waiting).equals(sealHash(seal))) this.#differs(this.#waiting);
    this.#waiting = await this.#next();
  }

  async end(last: Seal | undefined, census: readonly LaneCensus[]): Promise<void> {
    const first = this.#waiting;
    let lacking: Seal | undefined;
    for (; this.#waiting !== undefined; this.#waiting = await this.#next()) lacking = this.#waiting;
    if (first !== undefined && lacking !== undefined) {
      const which = first === lacking ? `seal ${first.number}` : `seals ${first.number} to ${lacking.number}`;
      this.#blame(
        lacking,
        `the database ends at seal ${last?.number ?? 0}, and ${which} of ${at(lacking)} ${first === lacking ? 'was' : 'were'} exported: it was rolled back, or its end was cut`,
      );
    }
    const lanes = new Map(census.map((lane) => [laneName(lane), lane.last]));
    for (const [lane, head] of this.#heads)
      if ((lanes.get(lane) ?? 0) < head)
        this.#problems?.add(
          'export_differs',
          `row ${lane}.${head} was there when ${this.#path} was written, and is missing`,
          { row: `${lane}.${(lanes.get(lane) ?? 0) + 1}` },
        );
  }

  summary(): VerifyReport['exported'] {
    return { file: this.#path, seals: this.#seals, last: this.#last?.number ?? null };
  }

  /** The next seal of the file; what comes again (two processes wrote at once) is passed over. */
  async #next(): Promise<Seal | undefined> {
    for (;;) {
      const { value, done } = (await this.#lines?.next()) ?? { done: true, value: undefined };
      if (done === true) return undefined;
      this.#line += 1;
      const line = parseExportedLine(value);
      if (line?.kind === 'heads') {
        for (const [lane, head] of line.lanes) this.#head(laneName({ replicaId: line.replicaId, lane }), head);
        continue;
      }
      if (line === undefined) {
        this.#problems?.add('export_damaged', `line ${this.#line} of ${this.#path} is no seal`);
        continue;
      }
      if (this.#last !== undefined && line.seal.number <= this.#last.number) continue;
      this.#last = line.seal;
      this.#seals += 1;
      return line.seal;
    }
  }

  #head(lane: string, head: number): void {
    this.#heads.set(lane, Math.max(head, this.#heads.get(lane) ?? 0));
  }

  #lacks(seal: Seal): void {
    this.#blame(seal, `seal ${seal.number} of ${at(seal)} was exported, and the database has none of this number`);
  }

  #differs(seal: Seal): void {
    this.#blame(
      seal,
      `seal ${seal.number} in the database is another one than was exported at ${at(seal)}: the database was rolled back and went on from there`,
    );
  }

  /** A seal of the file that is not as in the database: it counts when it is signed. (Those that are as there have been checked there.) */
  #blame(seal: Seal, text: string): void {
    if (this.#verifier?.proves(seal) === true) this.#problems?.add('export_differs', text, { seal: seal.number });
    else
      this.#problems?.add('export_damaged', `seal ${seal.number} in ${this.#path} is not signed by this server`, {
        seal: seal.number,
      });
  }
}

function at(seal: Seal): string {
  return new Date(seal.atMs).toISOString();
}
