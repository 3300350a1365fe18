import type { Draft } from './draft.ts';
import type { Target, Wave } from './rollout.model.ts';
import type { StepInput } from './step-input.ts';

/** A host that has just lost its connection is given this long before it counts as unreachable. */
const RECONNECT_GRACE_MS = 10_000;
/** A host that was changed and does not answer has this long after the bake before it counts as silent. */
const SILENT_AFTER_MS = 60_000;

/** Begins, bakes, looks after and ends waves; says which hosts wait for what. */
export function waveStep(draft: Draft, input: StepInput): void {
  begin(draft);
  waits(draft, input);
  // A wave without anything to do is over at once, and the next one begins.
  while (endWave(draft)) {
    begin(draft);
    waits(draft, input);
  }
}

function current(draft: Draft): Wave | undefined {
  return draft.waves[draft.rollout.wave];
}

/** The next wave begins when the one before is over, a step later where its hosts are not healthy: the budget has judged them by then. */
function begin(draft: Draft): void {
  const last = current(draft);
  if (last !== undefined && last.endedAt !== null && last.number < draft.waves.length - 1)
    draft.rollout = { ...draft.rollout, wave: last.number + 1 };
  const wave = current(draft);
  if (wave === undefined || wave.startedAt !== null) return;
  draft.putWave({ ...wave, startedAt: draft.now });
  draft.note(
    `wave ${wave.number} of ${draft.waves.length - 1} begins: ${wave.size} ${wave.size === 1 ? 'host' : 'hosts'}`,
  );
}

/** Who is not connected waits, or is passed over; who is back, or has waited long enough to be asked again, is next. */
function waits(draft: Draft, { connected }: StepInput): void {
  const { offline } = draft.rollout.options;
  for (const target of draft.all()) {
    if (target.state !== 'pending' || target.wave > draft.rollout.wave) continue;
    if (target.wait === 'in_use' && (target.notBefore ?? 0) > draft.now) continue;
    if (connected.has(target.hostId)) {
      if (target.wait !== '' || target.notBefore !== null) draft.put({ ...target, wait: '', notBefore: null });
    } else if (target.wait !== 'unreachable') away(draft, target, offline);
  }
}

function away(draft: Draft, target: Target, offline: 'wait' | 'skip'): void {
  if (target.notBefore === null || target.wait === 'in_use')
    return draft.put({ ...target, wait: '', notBefore: draft.now + RECONNECT_GRACE_MS });
  if (target.notBefore > draft.now) return;
  if (offline === 'skip')
    return draft.endTarget(target, 'unreachable', 'silent', 'it was not connected when it was its turn');
  draft.put({ ...target, wait: 'unreachable', notBefore: null });
}

/** True: the wave under way is over, all of it healthy, and there is a next one. */
function endWave(draft: Draft): boolean {
  const wave = current(draft);
  if (wave === undefined || wave.endedAt !== null) return false;
  const done = doneWave(draft, wave);
  if (done === undefined || draft.now < (done.bakeUntil ?? Infinity)) return false;
  if (!lookedAfter(draft, done)) return false;
  draft.putWave({ ...done, endedAt: draft.now });
  const sick = draft.all().filter(({ wave: number, health }) => number === wave.number && health.length > 0).length;
  draft.note(`wave ${wave.number} is over${sick === 0 ? '' : `: ${sick} of its hosts not healthy`}`);
  return sick === 0 && wave.number < draft.waves.length - 1;
}

/** The wave once nothing of it is under way or can be sent; those that wait do not hold it up. */
function doneWave(draft: Draft, wave: Wave): Wave | undefined {
  const busy = draft.all().some((target) => target.wave === wave.number && isBusy(target));
  if (busy) return wave.doneAt === null ? undefined : wave;
  if (wave.doneAt !== null) return wave;
  const isLast = wave.number === draft.waves.length - 1;
  const bake = isLast ? 0 : draft.rollout.options.bake * 1000;
  const done = { ...wave, doneAt: draft.now, bakeUntil: draft.now + bake };
  draft.putWave(done);
  if (bake > 0) draft.note(`wave ${wave.number} is done; it bakes for ${bake / 1000} s`);
  return done;
}

function isBusy({ state, wait }: Target): boolean {
  return state === 'dispatched' || (state === 'pending' && wait === '');
}

/** Every host of the wave that was changed has been looked at, or of all waves; asks for those that were not. */
export function lookedAfter(draft: Draft, wave?: Wave): boolean {
  const due = draft
    .all()
    .filter(
      ({ wave: number, changed, healthSeen }) =>
        (wave === undefined || number === wave.number) && changed === true && !healthSeen,
    );
  if (due.length > 0) draft.effect({ kind: 'look', hostIds: due.map(({ hostId }) => hostId) });
  return due.length === 0;
}

function bakedAt({ rollout }: Draft, wave: Wave | undefined): number {
  return Math.min(wave?.bakeUntil ?? Infinity, rollout.deadline);
}

/** What looks at hosts have found, whatever the rollout does by now. */
export function takeLooks(draft: Draft, { looks }: Pick<StepInput, 'looks'>): void {
  for (const { hostId, problems } of looks) {
    const target = draft.targets.get(hostId);
    if (target === undefined || target.healthSeen || target.state !== 'ended') continue;
    const wave = draft.waves[target.wave];
    if (problems !== null) draft.put({ ...target, healthSeen: true, health: problems });
    // One that was late is given the same time from its own end; a bake lasts no longer than the rollout.
    else if (draft.now >= Math.max(bakedAt(draft, wave), target.endedAt ?? 0) + SILENT_AFTER_MS)
      draft.put({
        ...target,
        healthSeen: true,
        health: [{ what: 'silent', detail: 'it did not answer after its wave' }],
      });
  }
}
