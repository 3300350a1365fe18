import { setTimeout as delay } from 'node:timers/promises';
import type { PlanStep, StepResult } from '@modfleet/proto';
import type { HostFiles } from '../../host/host-files.ts';
import type { HostWrites, WriteEnd } from '../../host/host-writes.ts';
import { readRuntimeParameters } from '../../kmod/runtime-parameters.ts';
import type { StepEnd, StepReport } from '../action.machine.ts';
import type { StepKind } from '../findings/facts.ts';
import { sameValue, splitParameter } from '../findings/parameters.ts';
import { readPersistence } from '../host/persistence.ts';

/** The kernel takes a value in microseconds, and a driver that resets its device for it in seconds. Past this it is called stuck. */
export const WRITE_DEADLINE_MS = 20_000;

/** Steps that write a file, and start no program. */
export type WriteStepKind = Exclude<StepKind, 'rmmod' | 'modprobe'>;

/** What such a step needs of the host. */
export interface WriteStepHost {
  readonly files: HostFiles;
  readonly writes: HostWrites;
}

type Outcome = Pick<StepReport, 'end'> & { readonly errno: string; readonly words: string };

/**
 * INVARIANTS
 * - Success is what is read back, never that a write returned.
 * - Values are written in the order of the step. After one that did not take, those before it are put back, newest first, and what became of each is said.
 * - A write that does not return is waited for only so long: it is the kernel's, and no signal ends it.
 */
const EXECUTORS = {
  set_parameters: (host, step) => setParameters(host, step),
  persist: async (host, { kmod }) => listed(host, kmod, await host.writes.persist(kmod), 'ours'),
  unpersist: async (host, { kmod }) => listed(host, kmod, await host.writes.unpersist(kmod), 'absent'),
} as const satisfies Record<WriteStepKind, (host: WriteStepHost, step: PlanStep) => Promise<Outcome>>;

/** Runs one such step to its end or its deadline. Whether the kernel died of it, the caller sees. */
export async function runWriteStep(
  host: WriteStepHost,
  step: PlanStep & { readonly kind: WriteStepKind },
  deadlineMs: number = WRITE_DEADLINE_MS,
): Promise<StepReport> {
  const begunMs = performance.now();
  const patience = new AbortController();
  const tooLong = delay(deadlineMs, STUCK(step), { signal: patience.signal, ref: false });
  tooLong.catch(() => undefined);
  const outcome = await Promise.race([EXECUTORS[step.kind](host, step), tooLong]);
  patience.abort();
  const result: StepResult = {
    step,
    stderr: outcome.words,
    errno: outcome.errno,
    durationMs: Math.round(performance.now() - begunMs),
    verified: outcome.end.kind === 'done',
  };
  return { result, end: outcome.end };
}

const STUCK = ({ kind, kmod }: PlanStep): Outcome => ({
  end: { kind: 'stuck', message: `${kind} of ${kmod} does not return: the kernel is still at it` },
  errno: '',
  words: '',
});

async function setParameters(host: WriteStepHost, { kmod, parameters }: PlanStep): Promise<Outcome> {
  const before = await readRuntimeParameters(host.files, kmod);
  const written: string[] = [];
  for (const parameter of parameters) {
    const { name } = splitParameter(parameter);
    const failure = await setOne(host, kmod, parameter);
    if (failure === undefined) {
      written.push(name);
      continue;
    }
    // The one that failed may have changed all the same.
    const touched = [...new Set([name, ...written.reverse()])];
    const former = touched.map((one) => ({ name: one, value: before.get(one)?.value }));
    const backWords = await putBack(host, kmod, former);
    const message = `${failure.words}${backWords}`;
    return { end: { ...failure.end, message }, errno: failure.errno, words: failure.words };
  }
  return { end: { kind: 'done' }, errno: '', words: '' };
}

interface Failure {
  readonly end: Exclude<StepEnd, { kind: 'done' }>;
  readonly errno: string;
  readonly words: string;
}

/** Undefined: it has the value now. */
async function setOne(host: WriteStepHost, kmod: string, parameter: string): Promise<Failure | undefined> {
  const { name, value } = splitParameter(parameter);
  const end = await host.writes.setParameter(kmod, name, value);
  const is = (await readRuntimeParameters(host.files, kmod)).get(name)?.value;
  if (is !== undefined && sameValue(value, is, undefined)) return undefined;
  const shown = is === undefined ? 'cannot be read' : `is ${is}`;
  if (end.kind === 'done') {
    const words = `${name} of ${kmod} took ${value}, and ${shown}`;
    return { end: { kind: 'not_verified', message: words }, errno: '', words };
  }
  const errno = end.kind === 'failed' ? end.errno : '';
  const words = `${name} of ${kmod} did not take ${value}${errno === '' ? '' : ` (${errno})`}, and ${shown}`;
  return { end: { kind: 'rejected', message: words }, errno, words };
}

/** What became of each, as the end of a sentence. */
async function putBack(
  host: WriteStepHost,
  kmod: string,
  former: readonly { readonly name: string; readonly value: string | undefined }[],
): Promise<string> {
  const done: string[] = [];
  const left: string[] = [];
  for (const { name, value } of former) {
    const is = (await readRuntimeParameters(host.files, kmod)).get(name)?.value;
    if (value === undefined || is === value) continue;
    const failure = await setOne(host, kmod, `${name}=${value}`);
    if (failure === undefined) done.push(`${name} was put back to ${value}`);
    else left.push(`${name} could not be put back to ${value}`);
  }
  return [...done, ...left].map((words) => `; ${words}`).join('');
}

async function listed(
  { files }: WriteStepHost,
  kmod: string,
  end: WriteEnd,
  wanted: 'ours' | 'absent',
): Promise<Outcome> {
  const { path, state } = await readPersistence(files, kmod);
  const isAs = state === wanted || (wanted === 'absent' && state === 'no_folder');
  // A write that failed after its rename (the folder could not be synced) may not outlive a power cut.
  if (isAs && end.kind === 'done') return { end: { kind: 'done' }, errno: '', words: '' };
  const errno = end.kind === 'failed' ? end.errno : '';
  const verb = wanted === 'ours' ? 'written' : 'removed';
  const words =
    end.kind === 'foreign'
      ? `${path} is not as modfleet writes it, so it was not ${verb}`
      : end.kind === 'failed'
        ? `${path} could not be ${verb}: ${end.message}`
        : `${path} was ${verb}, and is not so`;
  return { end: { kind: 'not_written', message: words }, errno, words };
}
