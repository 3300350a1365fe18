import type { z } from 'zod';
import type { RolloutVerb } from './plan/plan.model.ts';
import type { rolloutCountsSchema, rolloutItemSchema } from './rollouts.schema.ts';
import type { ShownRow } from './rollout-view.queries.ts';

/** What a sentence about a rollout needs to know. */
export interface DescribedRollout {
  readonly row: Pick<ShownRow, 'state' | 'state_why' | 'kmod' | 'wave' | 'deadline'>;
  readonly verb: RolloutVerb;
  readonly counts: z.output<typeof rolloutCountsSchema>;
  readonly canReturn: number;
  readonly rollback: z.output<typeof rolloutItemSchema>['rollback'];
}

const DONE: Readonly<Record<RolloutVerb, string>> = {
  load: 'loaded',
  unload: 'unloaded',
  reload: 'loaded again',
  set_parameters: 'set as asked',
  ensure_loaded: 'loaded, and at each boot',
  ensure_unloaded: 'unloaded, and not loaded at boot by a file of ours',
};

/** One sentence for people. Says only what hosts have reported: what is under way, waiting or unknown is no success. */
export function describeRollout({ row, verb, counts, canReturn, rollback }: DescribedRollout): string {
  const asAsked = (counts.ended.succeeded ?? 0) + (counts.ended.unchanged ?? 0);
  const so = `${row.kmod} is ${DONE[verb]} on ${asAsked} of ${counts.total} hosts`;
  const open = openWords(counts);
  const why = row.state_why === '' ? '' : ` ${sentence(row.state_why)}`;
  switch (row.state) {
    case 'awaiting_approval':
      return 'Nothing is done: it waits for somebody else than who asked for it to approve it.';
    case 'running':
      return `Wave ${row.wave} is under way; ${so}${open}.`;
    case 'paused':
      return `Paused; ${so}${open}. Nothing more is sent.${why}`;
    case 'aborting':
      return `Aborting; ${so}${open}.${why}`;
    case 'aborted':
      return `Aborted; ${so}.${why}${returnWords(canReturn)}`;
    case 'rolling_back':
      return `Rolling back: ${rollback?.restored ?? 0} of ${rollback?.total ?? 0} hosts that changed are as they were.${why}`;
    case 'rolled_back':
      return `Rolled back: all ${rollback?.restored ?? 0} hosts that changed are as they were.`;
    case 'succeeded':
      return `${capital(so)}, as far as every one of them reported.${returnWords(canReturn)}`;
    case 'failed':
      // What was put back is not as was asked for any more.
      return rollback === null ? `${capital(so)}.${why}${returnWords(canReturn)}` : why.trim();
    default:
      return row.state satisfies never;
  }
}

function openWords({ dispatched, waiting }: DescribedRollout['counts']): string {
  return [dispatched > 0 ? `; ${dispatched} under way` : '', waiting > 0 ? `; ${waiting} waited for` : ''].join('');
}

function returnWords(canReturn: number): string {
  return canReturn === 0 ? '' : ` It can return on ${canReturn} of them.`;
}

function sentence(text: string): string {
  return `${capital(text)}.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
