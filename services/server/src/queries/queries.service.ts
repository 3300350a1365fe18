import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import type { Query, QueryAnswer } from '@modfleet/proto';
import { toHealth } from '../actions/action.mapper.ts';
import { AgentGateway } from '../agent-session/agent-gateway.ts';
import { AppError } from '../errors/app-error.ts';
import { ReplicaMail } from '../replica-mail/replica-mail.service.ts';
import type { MessageOf } from '../replica-mail/replica-mail.messages.ts';
import { LiveQuery, type HostAnswer } from './live-query.ts';
import { kmodAnswers, toKmodAnswer } from './query-answer.mapper.ts';
import type { HeldHost } from './query-targets.queries.ts';

/** Questions that are out at a time in this process; each holds its answers until they are sent. */
const QUERY_LIMIT = 200;
/** A question ends then, whatever still comes in. */
const LONGEST_MS = 60_000;
/** Hosts asked before others get a turn, the first answers among them: some 5 ms. */
const ASKED_A_TURN = 50;

export interface Question {
  readonly queryId: string;
  readonly kmods: readonly string[];
  /** The hosts' health, too. */
  readonly health: boolean;
  readonly hosts: readonly HeldHost[];
  /**
   * How long it waits while no answer comes. Not how long it lasts: a server has a fraction of a millisecond's work with each host, and ten thousand that answer at once are heard one after the
   * other. To say of those that wait their turn that they did not answer would be wrong.
   */
  readonly timeoutMs: number;
}

interface Own {
  readonly live: LiveQuery;
  /** Ends it when nothing comes any more. */
  readonly quiet: NodeJS.Timeout;
}

/**
 * Asks hosts now. Nothing is stored: a question lives in the process that was asked, its answers come through the sessions of this replica and
 * by mail from the others.
 */
@Injectable()
export class QueriesService implements OnModuleInit {
  readonly #log = new Logger('Queries');
  readonly #gateway: AgentGateway;
  readonly #mail: ReplicaMail;
  /** Questions asked here. */
  readonly #own = new Map<string, Own>();
  /** Questions that hosts of this replica were asked: who wants the answers. */
  readonly #askers = new Map<
    string,
    { readonly asker: string; readonly health: boolean; readonly hostIds: Set<string> }
  >();

  constructor(@Inject(AgentGateway) gateway: AgentGateway, @Inject(ReplicaMail) mail: ReplicaMail) {
    this.#gateway = gateway;
    this.#mail = mail;
  }

  /** Questions that are out. */
  get open(): number {
    return this.#own.size;
  }

  onModuleInit(): void {
    this.#gateway.register({ onQueryAnswer: ({ hostId }, answer) => this.#fromHost(hostId, answer) });
    this.#mail.on('ask', (message) => {
      this.#askHere(message).catch((error: unknown) =>
        this.#log.error('a question was not asked whole', error as Error),
      );
    });
    this.#mail.on('answer', (message) => this.#fromReplica(message));
    this.#mail.on('not_here', ({ queryId, hostIds }) => this.#lost(queryId, hostIds));
  }

  /**
   * Sends the question out. The caller reads `answers()` and then `end()`; `signal` ends it early.
   *
   * @throws AppError overloaded.
   */
  ask(question: Question, signal: AbortSignal): LiveQuery {
    if (this.#own.size >= QUERY_LIMIT) {
      throw new AppError('overloaded', 'Too many questions to hosts are under way. Try again in a moment.', {
        retryAfterSeconds: 2,
      });
    }
    const { queryId, timeoutMs } = question;
    const live = new LiveQuery(question.hosts, performance);
    // Its answers may still be on their way to a slow reader; nothing more comes in for it.
    const finish = (why: string): void => {
      clearTimeout(quiet);
      clearTimeout(longest);
      live.finish(why);
      this.#own.delete(queryId);
    };
    const quiet = setTimeout(
      () => finish(`no answer within ${timeoutMs} ms${live.answered === 0 ? '' : ' of the last that came'}`),
      timeoutMs,
    );
    const longest = setTimeout(() => finish(`no answer within ${LONGEST_MS} ms`), LONGEST_MS);
    this.#own.set(queryId, { live, quiet });
    const stop = (): void => finish('nobody waits for the answer any more');
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    for (const host of question.hosts) if (host.replica_id === null) live.noAnswer(host.id, 'silent', silence(host));
    for (const [replicaId, hostIds] of byReplica(question.hosts)) {
      this.#mail.send(replicaId, {
        kind: 'ask',
        queryId,
        asker: this.#mail.self,
        kmods: [...question.kmods],
        health: question.health,
        hostIds,
        timeoutMs,
      });
    }
    return live;
  }

  async #askHere({ queryId, asker, kmods, health, hostIds, timeoutMs }: MessageOf<'ask'>): Promise<void> {
    const query: Query = { queryId, kmods, timeoutMs, health };
    this.#askers.set(queryId, { asker, health, hostIds: new Set(hostIds) });
    setTimeout(() => this.#askers.delete(queryId), LONGEST_MS).unref();
    for (let from = 0; from < hostIds.length && this.#askers.has(queryId); from += ASKED_A_TURN) {
      const gone = hostIds
        .slice(from, from + ASKED_A_TURN)
        .filter((hostId) => this.#gateway.send(hostId, { $case: 'query', value: query }) === 'not_here');
      if (gone.length > 0) this.#mail.send(asker, { kind: 'not_here', queryId, hostIds: gone });
      await nextTurn();
    }
  }

  #fromHost(hostId: string, answer: QueryAnswer): void {
    const asked = this.#askers.get(answer.queryId);
    if (asked === undefined || !asked.hostIds.delete(hostId)) return;
    if (asked.hostIds.size === 0) this.#askers.delete(answer.queryId);
    const kmods = answer.kmods.map(toKmodAnswer);
    const health = asked.health ? { health: answer.health === undefined ? null : toHealth(answer.health) } : {};
    this.#mail.send(asked.asker, {
      kind: 'answer',
      queryId: answer.queryId,
      hostId,
      kmods,
      ...health,
      error: answer.error,
    });
  }

  #fromReplica({ queryId, hostId, kmods, health, error }: MessageOf<'answer'>): void {
    const own = this.#own.get(queryId);
    if (own === undefined) return;
    own.quiet.refresh();
    if (error !== '') return own.live.noAnswer(hostId, 'error', error);
    const parsed = kmodAnswers.safeParse(kmods);
    if (parsed.success) own.live.answer(hostId, parsed.data satisfies HostAnswer['kmods'], health);
    else own.live.noAnswer(hostId, 'error', 'the answer was not understood; do all servers run the same version?');
  }

  #lost(queryId: string, hostIds: readonly string[]): void {
    const live = this.#own.get(queryId)?.live;
    for (const hostId of hostIds) live?.noAnswer(hostId, 'silent', 'its connection ended just now');
  }
}

function byReplica(hosts: readonly HeldHost[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { id, replica_id: replicaId } of hosts) {
    if (replicaId === null) continue;
    const group = groups.get(replicaId);
    if (group === undefined) groups.set(replicaId, [id]);
    else group.push(id);
  }
  return groups;
}

function silence(host: HeldHost): string {
  return host.last_seen_at === null ? 'never connected' : `not connected; last seen ${host.last_seen_at.toISOString()}`;
}
