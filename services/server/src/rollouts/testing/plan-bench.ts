import { Outcome, Verdict } from '@modfleet/proto';
import type { ActionStack, Answer } from '../../actions/testing/action-stack.ts';
import { type FakeHost, resultOf } from '../../actions/testing/fake-host.ts';
import type { PlanTargetList, RolloutPlan } from '../../api-types.ts';
import { comesTrue } from '../../testing/comes-true.ts';
import { planSchema, planTargetListSchema } from '../plan/plan.schema.ts';

/** What a host says of a dry run. */
export const WOULD_UNLOAD = Verdict.fromPartial({
  allowed: true,
  decidedBy: 'ok',
  plan: [{ kind: 'rmmod', kmod: 'floppy', parameters: [], because: 'asked for' }],
  reloadPaths: [{ kind: 'alias', value: 'platform:floppy' }],
});
export const IN_USE = Verdict.fromPartial({
  allowed: false,
  decidedBy: 'in_use',
  findings: [
    {
      layer: 1,
      code: 'in_use',
      refuses: true,
      message: 'floppy is in use',
      evidence: [{ kind: 'mount', value: '/mnt' }],
    },
  ],
});
export const NOT_LOADED = Verdict.fromPartial({
  allowed: true,
  decidedBy: 'unchanged',
  findings: [{ layer: 1, code: 'already', refuses: false, message: 'floppy is not loaded', evidence: [] }],
});

const UNLOAD = { verb: 'unload', kmod: 'floppy' };

/** Plans over the API of a stack, and hosts that answer them. Every answer is checked against its schema. */
export class PlanBench {
  readonly #stack: () => ActionStack;

  constructor(stack: () => ActionStack) {
    this.#stack = stack;
  }

  /** An unload of floppy, unless `body` says otherwise. */
  ask<T = RolloutPlan>(body: object, headers: Record<string, string> = {}): Promise<Answer<T>> {
    return this.#stack().call<T>('POST', '/rollout-plans', { ...UNLOAD, ...body }, headers);
  }

  /** The same, taken. */
  async plan(body: object, headers: Record<string, string> = {}): Promise<RolloutPlan> {
    const answer = await this.ask(body, headers);
    if (answer.status !== 202 || answer.headers.get('location') !== `/api/v1/rollout-plans/${answer.body.id}`)
      throw new Error(`no plan: ${answer.status} ${JSON.stringify(answer.body)}`);
    return planSchema.parse(answer.body);
  }

  async show(id: string): Promise<RolloutPlan> {
    return planSchema.parse((await this.#stack().call('GET', `/rollout-plans/${id}`)).body);
  }

  async targets(id: string, query = ''): Promise<PlanTargetList> {
    return planTargetListSchema.parse((await this.#stack().call('GET', `/rollout-plans/${id}/targets${query}`)).body);
  }

  /** Once it is ready. */
  ready(id: string): Promise<RolloutPlan> {
    return comesTrue(async () => {
      const plan = await this.show(id);
      if (plan.state !== 'ready') throw new Error(`the plan ${id} is ${plan.state}`);
      return plan;
    });
  }

  /** Waits for the dry run and answers it. */
  async answers(host: FakeHost, outcome: Outcome, verdict: Verdict | undefined, message = ''): Promise<void> {
    const request = await host.next('actionRequest');
    if (!request.dryRun) throw new Error('a plan asked for more than a dry run');
    await host.reports(resultOf(request, outcome, { verdict, message }));
    await host.next('resultAck');
  }

  /** Hosts that are connected, with one label. */
  async connected(count: number, env = 'prod'): Promise<FakeHost[]> {
    const hosts = await Promise.all(
      Array.from({ length: count }, (_, index) => this.#stack().enroll(`web-${index + 1}`)),
    );
    await this.label(hosts, env);
    for (const host of hosts) await this.#stack().connect(host);
    return hosts;
  }

  async label(hosts: readonly FakeHost[], env: string): Promise<void> {
    await this.#stack().database.query('UPDATE host SET labels = $2 WHERE id = ANY ($1)', [
      hosts.map(({ id }) => id),
      JSON.stringify({ env }),
    ]);
  }
}
