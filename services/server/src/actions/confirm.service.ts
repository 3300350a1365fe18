import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { isUnavailable } from '../database/database.errors.ts';
import { DatabaseService } from '../database/database.service.ts';
import { findHostIdentity } from '../enrollment/host.queries.ts';
import { AgentGateway } from '../agent-session/agent-gateway.ts';
import type { ConfirmDecision, ConfirmGiver } from '../agent-session/confirm-port.ts';
import type { PeerIdentity } from '../agent-session/peer-identity.ts';
import { ActionChanges } from './action-changes.service.ts';
import { ActionMetrics } from './action-metrics.service.ts';
import { ActionRepository } from './action.repository.ts';

/**
 * Gives confirms.
 *
 * INVARIANTS
 * - The answer rests on the rows alone, so any replica gives it; it is committed before it is said.
 * - A host confirms its own actions only, and only while it is neither retired, revoked nor quarantined.
 * - A confirm is not a success: that is what the host reports afterwards.
 */
@Injectable()
export class ConfirmService implements ConfirmGiver, OnModuleInit {
  readonly #logger = new Logger('confirms');
  readonly #database: DatabaseService;
  readonly #actions: ActionRepository;
  readonly #changes: ActionChanges;
  readonly #metrics: ActionMetrics;
  readonly #gateway: AgentGateway;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(ActionRepository) actions: ActionRepository,
    @Inject(ActionChanges) changes: ActionChanges,
    @Inject(ActionMetrics) metrics: ActionMetrics,
    @Inject(AgentGateway) gateway: AgentGateway,
  ) {
    this.#database = database;
    this.#actions = actions;
    this.#changes = changes;
    this.#metrics = metrics;
    this.#gateway = gateway;
  }

  onModuleInit(): void {
    this.#gateway.giveConfirmsBy(this);
  }

  async confirm(identity: PeerIdentity, actionId: string, peer: string): Promise<ConfirmDecision> {
    const decision = await this.#decide(identity, actionId, peer);
    this.#metrics.confirm(decision.kind === 'unknown' ? 'refused' : decision.kind);
    if (decision.kind !== 'given')
      this.#logger.warn({ message: 'a confirm was not given', hostId: identity.hostId, actionId, peer, decision });
    return decision;
  }

  async #decide(identity: PeerIdentity, actionId: string, peer: string): Promise<ConfirmDecision> {
    try {
      const host = await findHostIdentity(this.#database, identity.hostId);
      if (host === undefined || !host.keyFingerprint.equals(identity.keyFingerprint)) return { kind: 'unknown' };
      if (host.retired) return { kind: 'refused', reason: 'this host was retired' };
      if (host.revoked) return { kind: 'refused', reason: 'this host was revoked' };
      if (host.quarantined) return { kind: 'refused', reason: 'this host is quarantined' };
      const applied = await this.#actions.apply(actionId, { kind: 'confirm_asked', peer }, {}, identity.hostId);
      if (applied === undefined) return { kind: 'unknown' };
      if (!applied.effects.some((effect) => effect.kind === 'confirm'))
        return { kind: 'refused', reason: 'the action has no open confirm window' };
      this.#changes.applied(applied);
      return { kind: 'given', at: applied.after.confirmOfferedAt ?? new Date() };
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      return { kind: 'unavailable' };
    }
  }
}
