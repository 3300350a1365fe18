import { type ActionRequest, type ActionResult, HostHealth, KmodPresence, Outcome, Verb } from '@modfleet/proto';
import { expect } from 'vitest';
import type { ActionStack, Answer } from '../../actions/testing/action-stack.ts';
import { type FakeHost, resultOf } from '../../actions/testing/fake-host.ts';
import type { ControlledRollout, Rollout, RolloutNoteList, RolloutTargetList } from '../../api-types.ts';
import {
  controlRolloutSchema,
  rolloutNoteListSchema,
  rolloutSchema,
  rolloutTargetListSchema,
} from '../rollouts.schema.ts';
import { NOT_LOADED, PlanBench, WOULD_UNLOAD } from './plan-bench.ts';

/** What a host does with the real thing. */
export type Does = (request: ActionRequest) => Partial<ActionResult> & { readonly outcome: Outcome };

export const UNLOADS: Does = () => ({
  outcome: Outcome.OUTCOME_SUCCEEDED,
  undo: [{ kind: 'load', kmod: 'floppy', parameters: ['FLOPPY_DMA=0'] }],
  healthBefore: HEALTHY,
});

export const HEALTHY = HostHealth.fromPartial({ bootId: 'boot', links: ['eth0 up'], mounts: ['/dev/vda1 / ext4'] });

/** Rollouts over the API of a stack, and hosts that answer what they are asked as they are told to. */
export class RolloutBench {
  readonly plans: PlanBench;
  readonly #stack: () => ActionStack;
  readonly #over = new Set<AbortController>();
  readonly #does = new Map<string, Does>();
  readonly #health = new Map<string, HostHealth>();
  /** What each host was sent that was no dry run, in its order. */
  readonly sent = new Map<string, ActionRequest[]>();

  constructor(stack: () => ActionStack) {
    this.#stack = stack;
    this.plans = new PlanBench(stack);
  }

  /** Connected hosts that answer by themselves. */
  async hosts(count: number): Promise<FakeHost[]> {
    const hosts = await this.plans.connected(count);
    for (const host of hosts) this.serve(host);
    return hosts;
  }

  /** What it does from now on; without it: the unload. */
  does(host: FakeHost, how: Does): void {
    this.#does.set(host.id, how);
  }

  isNow(host: FakeHost, health: Partial<HostHealth>): void {
    this.#health.set(host.id, { ...HEALTHY, ...health });
  }

  serve(host: FakeHost): void {
    const over = new AbortController();
    this.#over.add(over);
    void this.#serve(host, over.signal);
  }

  stop(): void {
    for (const over of this.#over) over.abort();
    this.#over.clear();
    this.#does.clear();
    this.#health.clear();
    this.sent.clear();
  }

  /** A rollout of a plan of these hosts, as far as it is taken. */
  async create(body: object = {}, headers: Record<string, string> = {}): Promise<Rollout> {
    const plan = await this.plans.ready((await this.plans.plan({ selector: 'env=prod' })).id);
    return this.created(await this.post('/rollouts', { plan: plan.id, bake: 0, ...body }, headers));
  }

  created(answer: Answer<Rollout>): Rollout {
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    return rolloutSchema.parse(answer.body);
  }

  post<T = Rollout>(path: string, body: object = {}, headers: Record<string, string> = {}): Promise<Answer<T>> {
    return this.#stack().call<T>('POST', path, body, headers);
  }

  async control(id: string, what: string, body: object = {}): Promise<ControlledRollout> {
    const answer = await this.post<ControlledRollout>(`/rollouts/${id}/${what}`, body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(202);
    return controlRolloutSchema.parse(answer.body);
  }

  async show(id: string): Promise<Rollout> {
    return rolloutSchema.parse((await this.#stack().call('GET', `/rollouts/${id}`)).body);
  }

  async targets(id: string, query = ''): Promise<RolloutTargetList['items']> {
    return rolloutTargetListSchema.parse((await this.#stack().call('GET', `/rollouts/${id}/targets${query}`)).body)
      .items;
  }

  async notes(id: string): Promise<string[]> {
    const { body } = await this.#stack().call<RolloutNoteList>('GET', `/rollouts/${id}/notes`);
    return rolloutNoteListSchema.parse(body).items.map(({ text }) => text);
  }

  async in(id: string, ...states: Rollout['state'][]): Promise<Rollout> {
    await expect
      .poll(async () => (await this.show(id)).state, { timeout: 30_000, interval: 50 })
      .toSatisfy((state: Rollout['state']) => states.includes(state));
    return this.show(id);
  }

  async #serve(host: FakeHost, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const at = host.heard.findIndex(({ $case }) => $case === 'actionRequest' || $case === 'query');
      const [message] = at < 0 ? [] : host.heard.splice(at, 1);
      if (message?.$case === 'actionRequest') await this.#act(host, message.value);
      else if (message?.$case === 'query') await this.#answer(host, message.value.queryId);
      else await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async #act(host: FakeHost, request: ActionRequest): Promise<void> {
    if (request.dryRun) {
      const verdict = this.#loaded(host) ? WOULD_UNLOAD : NOT_LOADED;
      const outcome = this.#loaded(host) ? Outcome.OUTCOME_SUCCEEDED : Outcome.OUTCOME_UNCHANGED;
      return host.reports(resultOf(request, outcome, { verdict }));
    }
    this.sent.set(host.id, [...(this.sent.get(host.id) ?? []), request]);
    if (request.verb === Verb.VERB_RESTORE) return host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED));
    const { outcome, ...change } = (this.#does.get(host.id) ?? UNLOADS)(request);
    await host.reports(resultOf(request, outcome, change));
  }

  async #answer(host: FakeHost, queryId: string): Promise<void> {
    const health = this.#health.get(host.id) ?? HEALTHY;
    const presence = KmodPresence.KMOD_PRESENCE_ON_DISK;
    const kmod = {
      name: 'floppy',
      presence,
      loaded: undefined,
      refcount: undefined,
      holders: [],
      blocks: [],
      reason: '',
    };
    await host.answers(queryId, [kmod], '', health);
  }

  #loaded(host: FakeHost): boolean {
    return !(this.sent.get(host.id) ?? []).some(({ verb }) => verb === Verb.VERB_UNLOAD);
  }
}
