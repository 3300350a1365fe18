/** What is asked of the proof. */
export interface ProofAsked {
  /** Rounds in which servers are killed. */
  readonly seeds: number;
  /** The first seed; the others follow it. */
  readonly first: number;
  readonly hosts: number;
}
