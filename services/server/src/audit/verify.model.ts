/** What can be wrong; the words are part of the API. */
export const AUDIT_PROBLEMS = [
  /** The row's content does not agree with its mac: it was changed, or made by somebody without the key. */
  'row_changed',
  /** A number that must be there is not: the row was removed. */
  'row_missing',
  /** A row that no seal and no process of the server accounts for, or that is there twice. */
  'row_foreign',
  /** Rows of a seal that agree with their macs, and not with the seal. */
  'seal_mismatch',
  /** The seal's own columns do not agree with its signature. */
  'seal_changed',
  /** A seal that must be there is not. */
  'seal_missing',
  /** A seal that does not follow the one before it. */
  'seal_order',
  /** The exported file knows a seal, or a row, that the database lacks or has otherwise. */
  'export_differs',
  /** A line of the exported file is damaged. */
  'export_damaged',
] as const;
export type AuditProblemKind = (typeof AUDIT_PROBLEMS)[number];

export interface AuditProblem {
  readonly kind: AuditProblemKind;
  /** Name of the row, `replica.lane.number`. */
  readonly row: string | null;
  readonly seal: number | null;
  /** One sentence. */
  readonly text: string;
}

export interface VerifyReport {
  readonly intact: boolean;
  /** In the order in which they were found: seal by seal, then the rows without a seal, then the file. At most {@link PROBLEMS_KEPT}. */
  readonly problems: readonly AuditProblem[];
  readonly problemCount: number;
  /** The first problem that names a row. */
  readonly firstBadRow: string | null;
  readonly rows: number;
  readonly sealedRows: number;
  readonly unsealedRows: number;
  /** Age of the oldest row without a seal, ms; null when there is none. */
  readonly unsealedAgeMs: number | null;
  readonly seals: number;
  readonly lastSeal: { readonly number: number; readonly atMs: number } | null;
  /** Undefined lines of a file are not counted. Null: there was no file to compare with. */
  readonly exported: { readonly file: string; readonly seals: number; readonly last: number | null } | null;
  /** False without the key: then macs were not checked. */
  readonly macsChecked: boolean;
  readonly appendOnly: { readonly enforced: boolean; readonly why: string };
  readonly durationMs: number;
}

export const PROBLEMS_KEPT = 100;

/** Collects problems, the first ones in full. */
export class Problems {
  readonly kept: AuditProblem[] = [];
  count = 0;
  firstBadRow: string | null = null;

  add(kind: AuditProblemKind, text: string, at: { readonly row?: string; readonly seal?: number } = {}): void {
    this.count += 1;
    this.firstBadRow ??= at.row ?? null;
    if (this.kept.length < PROBLEMS_KEPT) this.kept.push({ kind, row: at.row ?? null, seal: at.seal ?? null, text });
  }
}
