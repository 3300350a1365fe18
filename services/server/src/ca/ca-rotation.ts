import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { randomUUID, X509Certificate } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { ServerConfig } from '../config/server-config.ts';
import { localSource } from '../audit/audit-source.ts';
import type { AuditService } from '../audit/audit.service.ts';
import type { DatabaseService, Sql } from '../database/database.service.ts';
import { type CaMaterial, caMaterial, pathNote, vouchFor } from './ca-certificate.ts';
import { expiryOf } from './ca-expiry.ts';
import {
  countHostTrust,
  type HostTrustCounts,
  hostsLeftBehind,
  type LeftBehindHost,
  liveReplicas,
  newestGenerationOfHosts,
  type ReplicaStanding,
} from './ca-fleet.queries.ts';
import { advance, type CaDecision, type CaEvent, type CaStep, forget, returnable } from './ca-set.machine.ts';
import { ownKeyFiles } from './ca-leftovers.ts';
import { type CaRecord, type CaSet, issuingCa, knownCas, shortId } from './ca-set.ts';
import { settledWords, settleLocked, settleStep, whileRotationLocked } from './ca-settle.ts';
import { removeStep, setDigest, writeStep } from './ca-step-file.ts';
import { type CaStoreOptions, type MadeCa, makeNextCa, type OpenCas, openCaStore, record } from './ca-store.ts';
import { caDatesProblem, type GivenCa, readGivenCa } from './given-ca.ts';
import { caStoreOptions } from './open-authority.ts';

/** A step that is not taken; the message says why, and the way out. Nothing was changed. */
export class CaStepRefusedError extends Error {
  readonly code = 'ca_step_refused';
}

/** Hosts that are named; the rest is counted. */
const NAMED = 20;
/** A server looks at the disk every 2 s and tells the database at once; one that was killed counts for 10 s more. */
const TAKE_OVER_MS = 15_000;

export interface CaStepOptions {
  /** Hosts that may be left behind. */
  readonly strand?: number;
  /** The operator's CA for `begin`; else the server makes one. */
  readonly given?: GivenCa | undefined;
  /** Called when the step is on the disk, before the wait for the servers to take it over. */
  readonly onWritten?: (set: CaSet) => void;
}

export interface LeftBehind {
  readonly step: CaStep;
  readonly count: number;
  readonly hosts: readonly LeftBehindHost[];
}

/** Everything that people ask of the rotation. */
export interface CaStanding {
  readonly set: CaSet;
  readonly trusted: readonly CaMaterial[];
  /** Ids of CAs whose keys are kept and do not open. */
  readonly unusable: ReadonlySet<string>;
  readonly notes: readonly string[];
  readonly hosts: HostTrustCounts;
  readonly replicas: readonly ReplicaStanding[];
  /** Newest generation that a host knows: newer than the set's after an old folder was restored. */
  readonly newestOfHosts: number;
  /** The steps that are possible now, and whom each would leave behind. */
  readonly steps: readonly LeftBehind[];
}

export interface CaStepTaken {
  readonly before: CaSet;
  readonly set: CaSet;
  /** Hosts that are left behind all the same. */
  readonly leftBehind: LeftBehind;
  /** After the wait: server processes, and those that have not taken the change over. */
  readonly replicas: readonly ReplicaStanding[];
  readonly behind: readonly ReplicaStanding[];
  /** What a person should know of the new CA. */
  readonly notes: readonly string[];
}

/**
 * The steps of a rotation, as taken by a person on the server's machine: files, and what the database knows of hosts and servers.
 *
 * INVARIANTS
 * - One step at a time, whatever machine it is taken on.
 * - No step without its row in the audit log: what is meant goes to step.json, the row is committed, and only then the set is written (ca-settle.ts). A
 *   step that breaks off in between is finished, or given up where it has no row, by the next call or start.
 * - A step is taken from the set that it was asked in, or refused.
 * - Nothing is written before everything that speaks against the step was looked at. No transaction waits for servers.
 */
export class CaRotation {
  readonly #store: CaStoreOptions;
  readonly #database: DatabaseService;
  readonly #audit: Pick<AuditService, 'record'>;
  readonly #takeOverMs: number;

  constructor(
    config: Pick<ServerConfig, 'stateDir' | 'keyPassphrase' | 'givenCa'>,
    database: DatabaseService,
    audit: Pick<AuditService, 'record'>,
    takeOverMs = TAKE_OVER_MS,
  ) {
    this.#audit = audit;
    this.#store = { ...caStoreOptions(config), mustBeThere: true };
    this.#database = database;
    this.#takeOverMs = takeOverMs;
  }

  /** @throws CaStoreError, KeyFileError, DatabaseUnavailableError */
  async standing(): Promise<CaStanding> {
    const settled = await this.#settle();
    const open = await openCaStore(this.#store, new Date());
    const { set, trusted, unusable, notes } = open;
    const pair = pairOf(set);
    const steps = possibleSteps(open);
    return {
      set,
      trusted,
      unusable,
      notes: [...settled, ...notes],
      hosts: await countHostTrust(this.#database, pair),
      replicas: await liveReplicas(this.#database),
      newestOfHosts: await newestGenerationOfHosts(this.#database),
      steps: await Promise.all(steps.map((step) => this.#leftBehind(set, step))),
    };
  }

  /** @throws CaStepRefusedError, CaStoreError, KeyFileError, DatabaseUnavailableError */
  async take(step: CaStep, options: CaStepOptions = {}): Promise<CaStepTaken> {
    const settled = await this.#settle();
    const asked = await openCaStore(this.#store, new Date());
    await this.#agreement(asked.set);
    const { leftBehind, set, notes } = await this.#decided(asked, async (sql, open, now) => {
      refuseOther(open.set, await liveReplicas(sql));
      const made = step === 'begin' ? await this.#next(open, options.given, now) : undefined;
      const event: CaEvent =
        made === undefined ? { step: step as Exclude<CaStep, 'begin'> } : { step: 'begin', next: made.record };
      const decision = advance(open.set, event, now);
      if (decision.kind === 'taken') refuseWithoutKey(open, decision.set);
      const behind = await this.#leftBehind(open.set, step);
      refuseStranding(behind, options.strand ?? 0);
      const taken = await this.#record(sql, open, step, decision, { leftBehind: behind.count, made });
      return { leftBehind: behind, set: taken, notes: step === 'begin' ? notesOn(taken, open.trusted, now) : [] };
    });
    options.onWritten?.(set);
    const replicas = await this.#agreement(set);
    const behind = othersThan(set, replicas);
    return { before: asked.set, set, leftBehind, replicas, behind, notes: [...settled, ...notes] };
  }

  /** Erases the keys of the CAs that were replaced. @throws CaStepRefusedError and as `take` */
  async forget(): Promise<readonly CaRecord[]> {
    await this.#settle();
    const asked = await openCaStore(this.#store, new Date());
    return this.#decided(asked, async (sql, open) => {
      const decision = forget(open.set);
      await this.#record(sql, open, 'forget', decision);
      return decision.kind === 'taken' ? decision.erase : [];
    });
  }

  /** Decides and records under the lock; then the disk follows. */
  async #decided<T>(asked: OpenCas, decide: (sql: Sql, open: OpenCas, now: Date) => Promise<T>): Promise<T> {
    const result = await whileRotationLocked(this.#database, async (sql) => {
      const now = new Date();
      await settleLocked(this.#store.folder, sql);
      const open = await openCaStore(this.#store, now);
      refuseChanged(asked.set, open.set, asked.text === open.text);
      return decide(sql, open, now);
    });
    await settleStep(this.#store.folder, this.#database);
    return result;
  }

  async #record(
    sql: Sql,
    { set: before, text }: OpenCas,
    step: CaStep | 'forget',
    decision: CaDecision,
    { leftBehind = 0, made }: { readonly leftBehind?: number; readonly made?: MadeCa | undefined } = {},
  ): Promise<CaSet> {
    if (decision.kind === 'refused') throw new CaStepRefusedError(decision.reason);
    const { set } = decision;
    const { folder } = this.#store;
    const id = randomUUID();
    const erase = decision.erase.flatMap(({ key }) => (key?.kind === 'own' ? [key.file] : []));
    const came = made === undefined ? [] : ownKeyFiles(set).filter((file) => !ownKeyFiles(before).includes(file));
    writeStep(folder, { format: 1, id, step, from: setDigest(text), set, erase, made: came });
    try {
      made?.writeKey();
      const { phase, generation } = set;
      const details = { id, step, from: before.phase, phase, generation, issues: issuingCa(set).id, leftBehind };
      await this.#audit.record(sql, localSource(), { what: 'ca.rotate', object: set.current.id, details });
    } catch (error) {
      // Nothing of this transaction is there: what was meant is not left for the next call to look at.
      for (const file of came) rmSync(join(folder, file), { force: true });
      removeStep(folder);
      throw error;
    }
    return set;
  }

  async #settle(): Promise<string[]> {
    const settled = await settleStep(this.#store.folder, this.#database);
    return settled === undefined ? [] : [settledWords(settled)];
  }

  async #leftBehind(set: CaSet, step: CaStep): Promise<LeftBehind> {
    return { step, ...(await hostsLeftBehind(this.#database, pairOf(set), set.phase, step, NAMED)) };
  }

  /** The server processes, once all work with this set, or when that takes too long. */
  async #agreement(set: CaSet): Promise<ReplicaStanding[]> {
    const until = performance.now() + this.#takeOverMs;
    for (;;) {
      const replicas = await liveReplicas(this.#database);
      if (othersThan(set, replicas).length === 0 || performance.now() > until) return replicas;
      await wait(250);
    }
  }

  async #next({ set, trusted }: OpenCas, given: GivenCa | undefined, now: Date): Promise<MadeCa> {
    const [current] = trusted;
    if (set.phase !== 'single' || current === undefined)
      throw new CaStepRefusedError(
        'a rotation is under way: finish it, or take it back with "modfleet-server ca rotate back"',
      );
    const { record: next, writeKey } =
      given === undefined
        ? await makeNextCa(this.#store, current, now)
        : { record: givenNext(set, given, now), writeKey: () => undefined };
    const vouching = await vouchFor(publicPart(next), current, now);
    return { record: { ...next, vouchedBy: { id: current.id, certificate: vouching.toString('base64') } }, writeKey };
  }
}

/** Whoever asks for a step means the phase that they saw. */
function refuseChanged(asked: CaSet, now: CaSet, isSame: boolean): void {
  if (isSame) return;
  throw new CaStepRefusedError(
    `This step was asked for in ${asked.phase} (generation ${asked.generation}), and meanwhile another was taken: it is ${now.phase} (generation ${now.generation}). Nothing was changed. Look at "modfleet-server ca show", and ask again.`,
  );
}

function publicPart(ca: CaRecord): CaMaterial {
  return caMaterial(Buffer.from(ca.certificate, 'base64'), null);
}

function notesOn({ next }: CaSet, [current]: readonly CaMaterial[], now: Date): string[] {
  if (next === null || current === undefined) return [];
  const { level, words } = expiryOf([publicPart(next)], now);
  return [pathNote(publicPart(next), current), level === 'ok' ? undefined : words].filter((note) => note !== undefined);
}

function givenNext(set: CaSet, files: GivenCa, now: Date): CaRecord {
  const given = {
    certFile: resolve(files.certFile),
    keyFile: resolve(files.keyFile),
    passphraseFile: files.passphraseFile === null ? null : resolve(files.passphraseFile),
  };
  const material = readGivenCa(given);
  const known = knownCas(set).find((ca) => ca.id === material.id);
  const problem =
    known === undefined
      ? caDatesProblem(new X509Certificate(material.certificate), given.certFile, now)
      : known.id === set.current.id
        ? 'this CA is in use already'
        : 'this CA was in use before; "modfleet-server ca rotate back" returns to the last one, and no other comes back';
  if (problem !== undefined) throw new CaStepRefusedError(`${given.certFile}: ${problem}`);
  return record(material.certificate, { kind: 'given', ...given }, now);
}

function possibleSteps({ set, unusable }: OpenCas): CaStep[] {
  switch (set.phase) {
    case 'single': {
      const last = returnable(set);
      return last === undefined || unusable.has(last.id) ? ['begin'] : ['begin', 'back'];
    }
    case 'trust_both':
      return ['issue', 'back'];
    case 'issue_new':
      return ['finish', 'back'];
  }
}

function pairOf(set: CaSet): { current: string; next: string } {
  return { current: set.current.id, next: set.next?.id ?? issuingCa(set).id };
}

function othersThan(set: CaSet, replicas: readonly ReplicaStanding[]): ReplicaStanding[] {
  return replicas.filter((replica) => replica.generation !== set.generation);
}

/** Phases that follow each other get along, others do not: no step before every server has taken the last one over. */
function refuseOther(set: CaSet, replicas: readonly ReplicaStanding[]): void {
  const others = othersThan(set, replicas);
  if (others.length === 0) return;
  const named = others.map((replica) => `${replica.name} (${replica.phase}, generation ${replica.generation})`);
  throw new CaStepRefusedError(
    `Not every server works with the CAs in this folder (${set.phase}, generation ${set.generation}): ${named.join(', ')}. ` +
      'Copy STATE_DIR/ca from the machine of the last step to theirs (or here), wait 5 seconds, and try again. A server that cannot take it over says why in its log.',
  );
}

/** A set is used only with the key of the CA that issues; and who takes an end back wants to go on to where the CA of before issues. */
function refuseWithoutKey({ set, trusted, unusable }: OpenCas, wanted: CaSet): void {
  const returning = wanted.phase === 'issue_new' && set.phase === 'single';
  const { id } = returning ? wanted.current : issuingCa(wanted);
  const isUsable = returning ? !unusable.has(id) : trusted.some((ca) => ca.id === id && ca.key !== null);
  if (id === issuingCa(set).id || isUsable) return;
  throw new CaStepRefusedError(
    `The key of the CA ${shortId(id)}, which is to issue after this step or the next, is not usable: "modfleet-server ca show" says why. Put its file back, and try again.`,
  );
}

function refuseStranding({ step, count, hosts }: LeftBehind, strand: number): void {
  if (count <= strand) return;
  const named = hosts.map(
    (host) =>
      `  ${host.name} (${host.live ? 'connected' : `silent since ${host.seenAt?.toISOString() ?? 'it joined'}`})`,
  );
  const more = count > hosts.length ? [`  and ${count - hosts.length} more`] : [];
  throw new CaStepRefusedError(
    [
      `"rotate ${step}" would leave ${count} ${count === 1 ? 'host' : 'hosts'} behind:`,
      ...named,
      ...more,
      `Wait until they are through ("modfleet-server ca show"), retire them, or go on without them: --strand ${count}. What becomes of them: docs/operations.md, "Rotate the CA".`,
    ].join('\n'),
  );
}
