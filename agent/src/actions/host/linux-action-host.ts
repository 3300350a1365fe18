import { type ActionRequest, type PlanStep, type ReloadPath, Verb, type Verdict } from '@modfleet/proto';
import { readKmods } from '../../confirm/snapshot/read-kmods.ts';
import { readHostHealth } from '../../health/host-health.ts';
import { type HostWrites, listPath, NoHostWrites } from '../../host/host-writes.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { readProcModules } from '../../kmod/proc-modules.ts';
import { readRuntimeParameters } from '../../kmod/runtime-parameters.ts';
import { readSysParameters } from '../../kmod/sys-module.ts';
import type { ActionHost, Holding, KernelState } from '../action-host.ts';
import type { StepReport } from '../action.machine.ts';
import type { ActionPolicy } from '../findings/facts.ts';
import { sameValue, splitParameter } from '../findings/parameters.ts';
import { questionsOf } from '../findings/questions.ts';
import { refusalVerdict } from '../findings/refusal.ts';
import { decideAll, type Part } from '../findings/verdict.ts';
import { readKernelLog } from '../steps/kernel-log.ts';
import { runStep } from '../steps/step-runner.ts';
import type { HostRecord, KmodRecord } from '../undo/host-record.ts';
import { collectFacts, type FactSources, kernelStateOf } from './collect-facts.ts';
import { HostView } from './host-view.ts';
import { PathsBack } from './paths-back.ts';
import { readPersistence } from './persistence.ts';
import { softDependencies } from './tree-facts.ts';

/** A running Linux host, through the agent's two doors. */
export class LinuxActionHost implements ActionHost {
  readonly #sources: FactSources;
  readonly #policy: ActionPolicy;
  readonly #hostId: string | undefined;
  readonly #writes: HostWrites;

  /** `hostId` undefined: requests are not checked for whom they are meant (the `verdict` command). Without `writes` no file of the host is written. */
  constructor(
    sources: FactSources,
    policy: ActionPolicy,
    hostId: string | undefined,
    writes: HostWrites = new NoHostWrites(),
  ) {
    this.#sources = sources;
    this.#policy = policy;
    this.#hostId = hostId;
    this.#writes = writes;
  }

  async assess(request: ActionRequest, died: string | undefined): Promise<Verdict> {
    const view = new HostView(this.#sources);
    return this.#assess(request, died, view, new PathsBack(view));
  }

  /** Verdicts of one moment: what is the same for all of them is read once. For questions only; an action is assessed alone. */
  async assessTogether(requests: readonly ActionRequest[]): Promise<Verdict[]> {
    const view = new HostView(this.#sources);
    const back = new PathsBack(view);
    const verdicts: Verdict[] = [];
    for (const request of requests) verdicts.push(await this.#assess(request, undefined, view, back));
    return verdicts;
  }

  async #assess(request: ActionRequest, died: string | undefined, view: HostView, back: PathsBack): Promise<Verdict> {
    const questions = questionsOf(request, this.#hostId);
    if (typeof questions === 'string') return refusalVerdict('unsupported', questions);
    const parts: Part[] = [];
    for (const [index, question] of questions.entries()) {
      const { facts } = await collectFacts(this.#sources, question, died, view, questions.slice(0, index));
      const isUnload = question.verb === Verb.VERB_UNLOAD && facts.loaded !== undefined;
      const removed = questions.flatMap((one) => (one.verb === 'unpersist' ? [listPath(one.kmod)] : []));
      const paths = isUnload ? (await back.of(question.kmod)).filter((path) => !isOfList(path, removed)) : [];
      parts.push({ question, facts, reloadPaths: paths });
    }
    return decideAll(parts, this.#policy);
  }

  async bootId(): Promise<string> {
    return valueOf(await this.#sources.files.readText('/proc/sys/kernel/random/boot_id'))?.trim() ?? '';
  }

  async taint(): Promise<number | undefined> {
    const text = valueOf(await this.#sources.files.readText('/proc/sys/kernel/tainted'))?.trim();
    return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
  }

  async stateOf(kmod: string): Promise<KernelState> {
    const modules = await readProcModules(this.#sources.files);
    if (modules.kind !== 'ok') return 'unknown';
    const module = modules.value.find((one) => one.name === kmod);
    return module === undefined ? 'absent' : kernelStateOf(module);
  }

  async execute(step: PlanStep, actionId: string): Promise<StepReport> {
    const systemd = (await this.#sources.files.stat('/run/systemd/system')).kind === 'ok';
    return runStep(
      {
        exec: this.#sources.exec,
        files: this.#sources.files,
        writes: this.#writes,
        systemd,
        stateOf: (kmod) => this.stateOf(kmod),
        taint: () => this.taint(),
      },
      step,
      actionId,
    );
  }

  async stepStillRuns(kmod: string): Promise<boolean> {
    const { files } = this.#sources;
    for (const { name } of valueOf(await files.list('/proc')) ?? []) {
      if (!/^\d+$/.test(name)) continue;
      const words = valueOf(await files.readText(`/proc/${name}/cmdline`))?.split('\0') ?? [];
      if (/(^|\/)(rmmod|modprobe)$/.test(words[0] ?? '') && words.includes(kmod)) return true;
    }
    return false;
  }

  async hasParameters(kmod: string, parameters: readonly string[]): Promise<boolean | undefined> {
    if (parameters.length === 0) return true;
    const present = valueOf(await readSysParameters(this.#sources.files, kmod)) ?? [];
    const answers = parameters.map((parameter) => {
      const { name, value } = splitParameter(parameter);
      const found = present.find((one) => one.name === name);
      return found?.kind === 'value' ? sameValue(value, found.value, undefined) : undefined;
    });
    if (answers.includes(false)) return false;
    return answers.includes(undefined) ? undefined : true;
  }

  async kernelLog(kmod: string, sinceBootMs: number): Promise<readonly string[]> {
    return readKernelLog(this.#sources.exec, kmod, sinceBootMs);
  }

  async reloadPaths(kmod: string): Promise<readonly ReloadPath[]> {
    return new PathsBack(new HostView(this.#sources)).of(kmod);
  }

  async touchedBy(plan: readonly PlanStep[]): Promise<readonly string[]> {
    const own = [...new Set(plan.map((step) => step.kmod))];
    const loading = plan.filter((step) => step.kind === 'modprobe').map((step) => step.kmod);
    if (loading.length === 0) return own;
    const view = new HostView(this.#sources);
    const index = await view.index();
    if (index === undefined) return own;
    const loaded = new Set((await view.modules()).map((module) => module.name));
    const along = softDependencies(index, await view.config(), loading).filter(
      (name) => !loaded.has(name) && !index.builtin.has(name),
    );
    return [...new Set([...own, ...along])];
  }

  async record(kmods: readonly string[]): Promise<HostRecord> {
    const { files } = this.#sources;
    const records = await readKmods(files, kmods);
    const withFiles = records.map(async ({ name, loaded, parameters }): Promise<KmodRecord> => {
      const runtime = parameters.length === 0 ? [] : [...(await readRuntimeParameters(files, name))];
      const writable = runtime.filter(([, one]) => one.writable).map(([parameter]) => parameter);
      const { state } = await readPersistence(files, name);
      return { name, loaded, parameters, writable, persisted: state === 'ours' };
    });
    const health = await readHostHealth(files);
    return { bootId: health.bootId, kmods: await Promise.all(withFiles), health };
  }

  async holds({ kind, kmod, parameters }: PlanStep): Promise<Holding> {
    switch (kind) {
      case 'rmmod':
      case 'modprobe': {
        const state = await this.stateOf(kmod);
        if (state === 'loading' || state === 'unloading') return 'halfway';
        if (state === 'unknown') return 'unknown';
        if (kind === 'rmmod') return state === 'absent' ? 'yes' : 'no';
        return state === 'live' && (await this.hasParameters(kmod, parameters)) !== false ? 'yes' : 'no';
      }
      case 'set_parameters':
        return asHolding(await this.hasParameters(kmod, parameters));
      case 'persist':
      case 'unpersist': {
        const { state } = await readPersistence(this.#sources.files, kmod);
        if (state === 'unreadable') return 'unknown';
        return (state === 'ours') === (kind === 'persist') ? 'yes' : 'no';
      }
      default:
        return 'unknown';
    }
  }
}

function asHolding(answer: boolean | undefined): Holding {
  return answer === undefined ? 'unknown' : answer ? 'yes' : 'no';
}

/** A way back over a list that the action takes away. */
function isOfList({ kind, value }: ReloadPath, removed: readonly string[]): boolean {
  return kind === 'modules_load' && removed.some((path) => value === path || value.startsWith(`${path}:`));
}
