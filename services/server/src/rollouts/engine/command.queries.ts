import { isOverride, VERB_WORDS, type KnownVerb } from '@modfleet/proto';
import type { UndoStepJson } from '../../actions/action.model.ts';
import type { Sql } from '../../database/database.service.ts';
import type { RolloutCommand } from '../rollout-hash.ts';

interface PlanRow {
  readonly verb: KnownVerb;
  readonly kmod: string;
  readonly parameters: string[];
  readonly confirm_window_s: number;
  readonly overrides: string[];
  readonly classes: { readonly class: number; readonly digest: string; readonly steps: { readonly kmod: string }[] }[];
}

/** What the plan has every host do. */
export async function selectCommand(sql: Sql, planId: string): Promise<RolloutCommand> {
  const [row] = await sql.query<PlanRow>(
    'SELECT verb, kmod, parameters, confirm_window_s, overrides, classes FROM rollout_plan WHERE id = $1',
    [planId],
  );
  if (row === undefined) throw new Error(`the plan ${planId} of a rollout is not there`);
  const classes = [...row.classes].sort((one, other) => one.class - other.class);
  const kmods = new Set([row.kmod, ...classes.flatMap(({ steps }) => steps.map(({ kmod }) => kmod))]);
  return {
    verb: VERB_WORDS[row.verb],
    kmod: row.kmod,
    parameters: row.parameters,
    confirmWindowSeconds: row.confirm_window_s,
    overrides: row.overrides.filter(isOverride),
    digests: classes.map(({ digest }) => digest),
    kmods: [...kmods].sort(),
  };
}

/** What would put each host back, as it said after its action. Hosts that said nothing are not in it. */
export async function selectUndo(
  sql: Sql,
  rolloutId: string,
  hostIds: readonly string[],
): Promise<Map<string, UndoStepJson[]>> {
  const rows = await sql.query<{ host_id: string; undo: UndoStepJson[] | null }>(
    `SELECT t.host_id, a.result -> 'undo' AS undo FROM rollout_target t JOIN action a ON a.id = t.action_id
      WHERE t.rollout_id = $1 AND t.host_id = ANY ($2::uuid[])`,
    [rolloutId, hostIds],
  );
  return new Map(rows.flatMap((row) => (row.undo === null ? [] : [[row.host_id, row.undo] as const])));
}
