/** Kinds of undo step, as a result records them and a restore does them. */
export const UNDO_KINDS = ['load', 'unload', 'set_parameters', 'persist', 'unpersist'] as const;

/** One of the words above. */
export type UndoKind = (typeof UNDO_KINDS)[number];

/** Undo steps of one restore: a load with all its dependencies has far fewer. */
export const UNDO_STEPS_MAX = 128;

/** Whether a text from the wire is a kind of undo step that this build knows. */
export function isUndoKind(word: string): word is UndoKind {
  return UNDO_KINDS.some((known) => known === word);
}
