import { Inject, Injectable } from '@nestjs/common';
import { AccessRepository } from '../../access/access.repository.ts';
import type { Asker } from '../../actions/action-batch.service.ts';
import { DatabaseService, type Sql } from '../../database/database.service.ts';
import { rolloutHash, type RolloutCommand } from '../rollout-hash.ts';
import { selectCommand } from './command.queries.ts';
import { holdLease, type Lease } from './lease.queries.ts';
import {
  answerControls,
  insertNotes,
  selectHead,
  selectTargets,
  selectWaves,
  setGate,
  updateRollout,
  updateTargets,
  updateWaves,
} from './model.queries.ts';
import type { Effect } from './draft.ts';
import type { Decision } from './rollout.machine.ts';
import type { RolloutModel } from './rollout.model.ts';
import { date, modelOf, rowOf, waveRowOf } from './rollout.rows.ts';
import { provenAsker } from './rollout-seal.ts';

/** A rollout as a watcher holds it. */
export interface LoadedRollout {
  readonly model: RolloutModel;
  readonly command: RolloutCommand;
  readonly planId: string;
  readonly reason: string | null;
  readonly hash: Buffer;
  /** Who created it; undefined: its rows were changed outside the server, and nothing may follow from them. */
  readonly asker: Asker | undefined;
}

/** Rows of a rollout, for its watcher. Each write is in a transaction that holds the lease. */
@Injectable()
export class RolloutStore {
  readonly #database: DatabaseService;
  readonly #access: AccessRepository;

  constructor(@Inject(DatabaseService) database: DatabaseService, @Inject(AccessRepository) access: AccessRepository) {
    this.#database = database;
    this.#access = access;
  }

  /** Undefined: the lease is another's by now. */
  load(lease: Lease): Promise<LoadedRollout | undefined> {
    return this.#database.tx('READ COMMITTED', async (sql) =>
      (await holdLease(sql, lease)) ? this.read(sql, lease.rolloutId) : undefined,
    );
  }

  async read(sql: Sql, rolloutId: string): Promise<LoadedRollout> {
    const head = await selectHead(sql, rolloutId);
    if (head === undefined) throw new Error(`the rollout ${rolloutId} is not there`);
    const command = await selectCommand(sql, head.plan_id);
    const model = modelOf(head, await selectWaves(sql, rolloutId), await selectTargets(sql, rolloutId));
    const { options } = model.rollout;
    const hash = rolloutHash({ command, parent: head.parent_id, options, targets: [...model.targets.values()] });
    const asker = hash.equals(head.hash) ? provenAsker(this.#access.seals, rolloutId, 'create', hash, head) : undefined;
    return { model, command, planId: head.plan_id, reason: head.reason, hash, asker };
  }

  /** Writes what a step has decided; the caller's transaction holds the lease. @returns whether anything changed. */
  async save(sql: Sql, before: RolloutModel, decision: Decision, now: number): Promise<boolean> {
    const { rollout, effects } = decision;
    const waves = decision.waves.filter((wave, at) => wave !== before.waves[at]);
    const notes = effects.flatMap((effect) => (effect.kind === 'note' ? effect.text : []));
    const answers = effects.filter((effect) => effect.kind === 'answer');
    const changed = rollout !== before.rollout || waves.length > 0 || decision.targets.length > 0;
    if (!changed && notes.length === 0 && answers.length === 0) return false;
    await updateTargets(sql, rollout.id, decision.targets.map(rowOf));
    await updateWaves(sql, rollout.id, waves.map(waveRowOf));
    await insertNotes(sql, rollout.id, new Date(now), notes);
    await answerControls(sql, rollout.id, answers);
    const gate = effects.findLast((effect): effect is Extract<Effect, { kind: 'gate' }> => effect.kind === 'gate');
    if (gate !== undefined) await setGate(sql, rollout.id, gate.open);
    await updateRollout(sql, {
      id: rollout.id,
      state: rollout.state,
      state_why: rollout.why,
      wave: rollout.wave,
      memory: rollout.memory,
      started_at: date(rollout.startedAt),
      ended_at: date(rollout.endedAt),
      deadline: new Date(rollout.deadline),
    });
    return true;
  }
}
