import type { Draft } from './draft.ts';
import { isEndedState, type RolloutState } from './rollout.model.ts';
import type { Control, ControlKind } from './step-input.ts';

/** In which states what may be asked. A table, so that the API, the command line and the machine say the same. */
export const CONTROLS_BY_STATE: Readonly<Record<RolloutState, readonly ControlKind[]>> = {
  awaiting_approval: ['approve', 'abort'],
  running: ['pause', 'promote', 'abort', 'roll_back'],
  paused: ['resume', 'abort', 'roll_back'],
  aborting: ['roll_back'],
  rolling_back: ['pause'],
  succeeded: ['roll_back'],
  failed: ['roll_back'],
  aborted: ['roll_back'],
  rolled_back: [],
};

/** Why it cannot be asked for; undefined: it can. */
export function complaintAboutControl(state: RolloutState, kind: ControlKind): string | undefined {
  if (CONTROLS_BY_STATE[state].includes(kind)) return undefined;
  const may = CONTROLS_BY_STATE[state].map(wordOf).join(', ');
  return `the rollout is ${state.replaceAll('_', ' ')}${isEndedState(state) ? ' and over' : ''}: ${wordOf(kind)} is not possible; ${may === '' ? 'nothing is' : `possible: ${may}`}`;
}

function wordOf(kind: ControlKind): string {
  return kind.replace('_', ' ');
}

/** In the order in which they were asked for. */
export function takeControls(draft: Draft, controls: readonly Control[]): void {
  for (const { kind, ...control } of controls) {
    if (kind === 'unproven') {
      draft.effect({ kind: 'answer', seq: control.seq, answer: 'it was changed outside the server' });
      continue;
    }
    takeControl(draft, { ...control, kind });
  }
}

type ProvenControl = Control & { readonly kind: ControlKind };

function takeControl(draft: Draft, control: ProvenControl): void {
  const complaint = complaintAboutControl(draft.rollout.state, control.kind) ?? complaintAboutPromote(draft, control);
  draft.effect({ kind: 'answer', seq: control.seq, answer: complaint ?? '' });
  if (complaint !== undefined) return;
  const because = control.reason === null ? '' : `: ${control.reason}`;
  draft.note(`${wordOf(control.kind)} by ${control.by}${because}`);
  take(draft, control, `by ${control.by}${because}`);
}

function take(draft: Draft, { kind, seq }: ProvenControl, words: string): void {
  switch (kind) {
    case 'pause':
      return draft.pause(`paused ${words}`);
    case 'resume':
      return draft.resume();
    case 'promote': {
      const wave = draft.waves[draft.rollout.wave];
      if (wave !== undefined) draft.putWave({ ...wave, bakeUntil: draft.now });
      return;
    }
    case 'abort':
      return draft.abort(`aborted ${words}`);
    case 'roll_back':
      return draft.rollBack(`rolled back ${words}`, seq);
    case 'approve':
      draft.move('running', '');
      // The time that it may take begins with the yes.
      draft.rollout = {
        ...draft.rollout,
        startedAt: draft.now,
        deadline: draft.now + draft.rollout.options.deadline * 1000,
      };
      return;
    default:
      throw new Error(`no control: ${String(kind satisfies never)}`);
  }
}

function complaintAboutPromote(draft: Draft, { kind }: ProvenControl): string | undefined {
  if (kind !== 'promote') return undefined;
  const wave = draft.waves[draft.rollout.wave];
  return (wave?.bakeUntil ?? null) === null || wave?.endedAt !== null || draft.now >= (wave.bakeUntil ?? 0)
    ? 'no bake is under way that could be skipped'
    : undefined;
}
