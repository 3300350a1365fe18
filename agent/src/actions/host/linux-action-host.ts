import {
  type ActionRequest,
  canonicalKmodName,
  CONFIRM_WINDOW_MAX_S,
  CONFIRM_WINDOW_MIN_S,
  isConfirmWindow,
  isKnownVerb,
  isOverride,
  type PlanStep,
  type ReloadPath,
  type Verdict,
  Verb,
} from '@modfleet/proto';
import { messageOf } from '../../error-words.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { readProcModules } from '../../kmod/proc-modules.ts';
import { readSysParameters } from '../../kmod/sys-module.ts';
import type { ActionHost, KernelState } from '../action-host.ts';
import type { StepReport } from '../action.machine.ts';
import type { ActionPolicy, Question } from '../findings/facts.ts';
import { PARAMETER, sameValue, splitParameter } from '../findings/parameters.ts';
import { decide } from '../findings/verdict.ts';
import { refusalVerdict } from '../findings/refusal.ts';
import { readKernelLog } from '../steps/kernel-log.ts';
import { runStep } from '../steps/step-runner.ts';
import { collectFacts, type FactSources, kernelStateOf } from './collect-facts.ts';
import { HostView } from './host-view.ts';
import { PathsBack } from './paths-back.ts';

/** A running Linux host, through the agent's two doors. */
export class LinuxActionHost implements ActionHost {
  readonly #sources: FactSources;
  readonly #policy: ActionPolicy;
  readonly #hostId: string | undefined;

  /** `hostId` undefined: requests are not checked for whom they are meant (the `verdict` command). */
  constructor(sources: FactSources, policy: ActionPolicy, hostId: string | undefined) {
    this.#sources = sources;
    this.#policy = policy;
    this.#hostId = hostId;
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
    const question = checkRequest(request, this.#hostId);
    if (typeof question === 'string') return refusalVerdict('unsupported', question);
    const { facts } = await collectFacts(this.#sources, question, died, view);
    const isUnload = question.verb === Verb.VERB_UNLOAD && facts.loaded !== undefined;
    const paths = isUnload ? await back.of(question.kmod) : [];
    return decide(question, facts, this.#policy, paths);
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
      { exec: this.#sources.exec, systemd, stateOf: (kmod) => this.stateOf(kmod), taint: () => this.taint() },
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
}

/** The question in a request, or why there is none. A server checks all this; a host does not rely on it. */
export function checkRequest(request: ActionRequest, hostId: string | undefined): Question | string {
  const { verb, kmod, parameters, dryRun } = request;
  if (hostId !== undefined && request.hostId !== hostId)
    return `this action is meant for host ${request.hostId}, and this is ${hostId}`;
  if (!isKnownVerb(verb)) return `verb ${String(verb)} is not known to this agent`;
  try {
    if (canonicalKmodName(kmod) !== kmod) return `${JSON.stringify(kmod)} is not in canonical form`;
  } catch (error) {
    return messageOf(error);
  }
  const bad = parameters.find((parameter) => !PARAMETER.test(parameter));
  if (bad !== undefined) return `${JSON.stringify(bad)} is no parameter: name=value without white space and quotes`;
  const names = parameters.map((parameter) => splitParameter(parameter).name);
  if (new Set(names).size !== names.length) return 'a parameter is given twice';
  if (verb === Verb.VERB_UNLOAD && parameters.length > 0) return 'an unload takes no parameters';
  const { confirmWindowSeconds, overrides } = request;
  if (confirmWindowSeconds !== 0 && !isConfirmWindow(confirmWindowSeconds))
    return `a confirm window has ${CONFIRM_WINDOW_MIN_S} to ${CONFIRM_WINDOW_MAX_S} seconds, not ${confirmWindowSeconds}`;
  const unknown = overrides.find((word) => !isOverride(word));
  if (unknown !== undefined)
    return `override ${JSON.stringify(unknown)} is not known to this agent; nothing but the route can be set aside`;
  return { verb, kmod, parameters, dryRun, confirmWindowSeconds, overrides: overrides.filter(isOverride) };
}
