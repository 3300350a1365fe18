import { Inject, Injectable } from '@nestjs/common';
import { isConfirmCause } from '@modfleet/proto';
import { Metrics } from '../metrics/metrics.service.ts';
import { isEnded, isInFlight } from './action.states.ts';
import type { Applied } from './action.repository.ts';

/** What this process did with actions; the fleet's sum is over its replicas. */
@Injectable()
export class ActionMetrics {
  readonly #accepted;
  readonly #sent;
  readonly #ended;
  readonly #resolved;
  readonly #keptApart;
  readonly #seconds;
  readonly #confirms;
  readonly #windows;

  constructor(@Inject(Metrics) metrics: Metrics) {
    this.#accepted = metrics.counter('modfleet_actions_accepted_total', 'Actions stored and answered with 202.', [
      'verb',
    ]);
    this.#sent = metrics.counter('modfleet_actions_sent_total', 'Actions handed to the session of their host.');
    this.#ended = metrics.counter('modfleet_actions_ended_total', 'Actions that ended, by outcome.', ['outcome']);
    this.#resolved = metrics.counter(
      'modfleet_actions_resolved_total',
      'Unconfirmed or stuck actions that a late report resolved, by its outcome.',
      ['outcome'],
    );
    this.#keptApart = metrics.counter(
      'modfleet_results_kept_apart_total',
      'Reports that belong to no action as it is known here.',
    );
    this.#confirms = metrics.counter('modfleet_confirms_total', 'Confirms asked for by hosts, by answer.', ['answer']);
    this.#windows = metrics.counter(
      'modfleet_confirm_windows_ended_total',
      'Confirm windows that ended, by end (kept, reverted, not_asked, unknown) and cause.',
      ['end', 'cause'],
    );
    this.#seconds = metrics.histogram(
      'modfleet_action_seconds',
      'From the sending of an action to the report of its end.',
      [],
      [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
    );
  }

  accepted(verb: string): void {
    this.#accepted.inc({ verb });
  }

  /** Actions that were cancelled together, before they were sent. */
  cancelled(count: number): void {
    this.#ended.inc({ outcome: 'cancelled' }, count);
  }

  keptApart(): void {
    this.#keptApart.inc();
  }

  /** A host asked for the confirm. */
  confirm(answer: 'given' | 'refused' | 'unavailable'): void {
    this.#confirms.inc({ answer });
  }

  /** Counts what one event changed. */
  applied({ before, after, effects }: Applied): void {
    if (before.state === 'queued' && isInFlight(after.state)) this.#sent.inc();
    const window = after.result === before.result ? undefined : after.result?.confirm;
    if (effects.some((effect) => effect.kind === 'store_result') && window) {
      this.#windows.inc({ end: window.end, cause: isConfirmCause(window.cause) ? window.cause : 'none' });
    }
    if (!isEnded(before.state) && after.outcome !== null) {
      this.#ended.inc({ outcome: after.outcome });
      if (after.dispatchedAt !== null && after.endedAt !== null) {
        this.#seconds.observe((after.endedAt.getTime() - after.dispatchedAt.getTime()) / 1000);
      }
    }
    if (before.resolvedOutcome === null && after.resolvedOutcome !== null)
      this.#resolved.inc({ outcome: after.resolvedOutcome });
    if (effects.some((effect) => effect.kind === 'keep_result_apart')) this.#keptApart.inc();
  }
}
