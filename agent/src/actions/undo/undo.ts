import type { PlanStep, UndoKind, UndoStep } from '@modfleet/proto';
import { VOLATILE_PARAMETERS } from '../../facets/parameters.ts';
import { isWritableValue } from '../findings/set-parameter-findings.ts';
import { splitParameter } from '../findings/parameters.ts';
import type { HostRecord, KmodRecord } from './host-record.ts';

/** More are not given to one modprobe (exec/vectors.ts). */
const PARAMETERS_MAX = 64;

/** What changed of one kmod. */
interface Change {
  readonly was: KmodRecord;
  readonly is: KmodRecord;
}

/**
 * What would put the host back as it was before the plan ran, as far as it ran: from what was there and what is there now, not from what was asked, so
 * that it holds after a step that failed, a revert and a crash. Pure.
 *
 * First what the next boot would do less, then unloads (newest first), loads (oldest first, with the parameters that the kmod had), values, and last what
 * the next boot would do more. In another boot than that of the record, what is loaded is not of this action: only files are.
 *
 * A load is given every value that the kmod showed: which ones were given when it was loaded, nobody can know. Values that cannot be given ("(null)", with
 * blanks) are left out: they are what it has without being given any.
 */
export function undoOf(plan: readonly PlanStep[], before: HostRecord, now: HostRecord): UndoStep[] {
  const present = new Map(now.kmods.map((kmod) => [kmod.name, kmod]));
  const changes = before.kmods.flatMap((was): Change[] => {
    const is = present.get(was.name);
    return is === undefined ? [] : [{ was, is }];
  });
  const isOtherBoot = before.bootId !== now.bootId;
  const came = isOtherBoot ? [] : now.kmods.filter((is) => changes.some((one) => one.is === is && hasCome(one)));
  const went = isOtherBoot ? [] : changes.filter(({ was, is }) => was.loaded && !is.loaded).map(({ was }) => was);
  const altered = isOtherBoot ? [] : changes.map((change) => alteredOf(plan, change));
  const anew = altered.flatMap(({ load }) => load);
  return [
    ...changes.filter(({ was, is }) => !was.persisted && is.persisted).map(({ is }) => step('unpersist', is.name)),
    ...[...came].reverse().map((is) => step('unload', is.name)),
    ...[...anew].reverse().map((was) => step('unload', was.name)),
    // In the order of the record: those that were loaded first come first, and what they need is before them.
    ...before.kmods
      .filter((was) => went.includes(was) || anew.includes(was))
      .map((was) => step('load', was.name, givable(was.parameters))),
    ...altered.flatMap(({ set, name }) => (set.length === 0 ? [] : [step('set_parameters', name, set)])),
    ...changes.filter(({ was, is }) => was.persisted && !is.persisted).map(({ was }) => step('persist', was.name)),
  ];
}

function hasCome({ was, is }: Change): boolean {
  return !was.loaded && is.loaded;
}

/** What another value needs: to be written, or a load with the former ones where that is not possible. */
function alteredOf(plan: readonly PlanStep[], { was, is }: Change) {
  const name = was.name;
  const none = { name, set: [] as string[], load: [] as KmodRecord[] };
  if (was.loaded !== is.loaded) return none;
  const values = new Map(is.parameters);
  const ours = touched(plan, name);
  const changed = was.parameters.filter(([key, value]) => ours(key) && (values.get(key) ?? value) !== value);
  if (changed.length === 0) return none;
  const isSettable = changed.every(([key, value]) => is.writable.includes(key) && isWritableValue(key, value));
  if (isSettable || !was.loaded) return { ...none, set: givable(changed) };
  return { ...none, load: [was] };
}

/** Which parameters of a kmod this plan may have changed: others change by somebody else's hand. */
function touched(plan: readonly PlanStep[], kmod: string): (name: string) => boolean {
  const own = plan.filter((one) => one.kmod === kmod);
  const isReloaded = own.some((one) => one.kind === 'rmmod') && own.some((one) => one.kind === 'modprobe');
  const set = own
    .filter((one) => one.kind === 'set_parameters')
    .flatMap((one) => one.parameters.map((parameter) => splitParameter(parameter).name));
  return (name) => (isReloaded || set.includes(name)) && !VOLATILE_PARAMETERS.has(`${kmod}.${name}`);
}

function givable(parameters: KmodRecord['parameters']): string[] {
  return parameters
    .filter(([name, value]) => isWritableValue(name, value))
    .map(([name, value]) => `${name}=${value}`)
    .slice(0, PARAMETERS_MAX);
}

function step(kind: UndoKind, kmod: string, parameters: string[] = []): UndoStep {
  return { kind, kmod, parameters };
}
