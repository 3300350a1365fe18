import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import type { TestFleet } from '../../e2e/support/fleet.ts';
import { MemoryWatch, type MemoryFigures } from '../support/memory-watch.ts';
import { AnswerRules } from './answer-rules.ts';
import { KnownValues } from './known-values.ts';
import { type OpenApi, operationsOf } from './openapi.ts';
import { type PlannedRequest, requestsOf } from './planned-request.ts';
import type { Planted } from './planted.ts';
import { type Exchange, exchange, requestBytes } from './raw-exchange.ts';
import type { FuzzRole } from './roles.ts';
import { SchemaValues } from './schema-values.ts';

/** One answer, or its absence, that should not be. */
export interface Fault {
  readonly what: string;
  readonly kind: string;
  readonly request: string;
  readonly answer: string;
}

export interface CampaignCounts {
  readonly role: string;
  calls: number;
  /** By status; `none`: closed without an answer. */
  readonly statuses: Record<string, number>;
  /** By what was wrong with the request. */
  readonly kinds: Record<string, number>;
  /** Answers by operation that were good: a role that only ever sees refusals proves little. */
  readonly successes: Record<string, number>;
  /** A few of each sort. */
  readonly faults: Fault[];
  /** How often each sort came. */
  readonly families: Record<string, number>;
  memory: MemoryFigures;
}

export interface CampaignOptions {
  readonly fleet: TestFleet;
  readonly planted: Planted;
  readonly role: FuzzRole;
  readonly calls: number;
  readonly seed: number;
  readonly onChunk?: (counts: CampaignCounts) => void;
}

/** Enough to keep two cores busy; more would only measure the queue. */
const PARALLEL = 8;
/** After so many calls the world is looked at, and mended. */
const CHUNK = 200;
/** After so many faults nothing new is learned. */
const FAULTS_MAX = 60;
const SHOWN_OF_FAMILY = 2;
const SHOWN_BYTES = 1_500;

/** The document as the server gives it. */
export async function readDocument(fleet: TestFleet): Promise<OpenApi> {
  const { status, body } = await fleet.api('GET', '/api/v1/openapi.json');
  if (status !== 200) throw new Error(`openapi.json answered ${status}`);
  return body as unknown as OpenApi;
}

/** Calls of one role, all from one seed: as documented, nearly so, and hostile. Each answer is held against the rules. */
export async function fuzzHttp(options: CampaignOptions): Promise<CampaignCounts> {
  const { fleet, planted, role, calls, seed } = options;
  const document = await readDocument(fleet);
  const values = new SchemaValues(document);
  const requests = fc.oneof(...operationsOf(document).map((operation) => requestsOf(operation, values)));
  const rules = new AnswerRules(document, role.secrets);
  const known = planted.knownValues();
  const memory = await MemoryWatch.begin(fleet.serverPid);
  const counts: CampaignCounts = {
    role: role.name,
    calls: 0,
    statuses: {},
    kinds: {},
    successes: {},
    faults: [],
    families: {},
    memory: memory.figures(),
  };
  const port = Number(new URL(fleet.http).port);
  for (let chunk = 0; counts.calls < calls && counts.faults.length < FAULTS_MAX; chunk += 1) {
    const some = fc.sample(requests, { seed: seed + chunk, numRuns: Math.min(CHUNK, calls - counts.calls) });
    const waiting = some.values();
    const one = async (): Promise<void> => {
      for (const request of waiting) {
        const bytes = requestBytes(request, role.credentials(), known);
        const call = (): Promise<Exchange> =>
          exchange(port, bytes, request.framing !== 'length' && request.framing !== 'chunked');
        const result = isSignIn(request) ? await call() : await patiently(call);
        count(counts, rules, known, request, result);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, one));
    if (!(await fetch(`${fleet.http}/healthz`)).ok) throw new Error('the server does not answer /healthz any more');
    await memory.look();
    counts.memory = memory.figures();
    await role.renew();
    await planted.replenish();
    planted.addKnown(known);
    options.onChunk?.(counts);
  }
  return counts;
}

/** Guessing is slowed down whatever the settings: there 429 is what is behind the door. */
function isSignIn(request: PlannedRequest): boolean {
  const path = request.operation?.path ?? '';
  return path === '/api/v1/login' || path.startsWith('/api/v1/oidc/');
}

/** Told to come back later, it does: a limit is no fault, and hides what is behind it. */
async function patiently(call: () => Promise<Exchange>): Promise<Exchange> {
  for (let attempt = 0; ; attempt += 1) {
    const result = await call();
    if (result.answer?.status !== 429 || attempt === 5) return result;
    await delay(1_000 * Math.min(5, Number(result.answer.headers.get('retry-after') ?? '1')));
  }
}

function count(
  counts: CampaignCounts,
  rules: AnswerRules,
  known: KnownValues,
  request: PlannedRequest,
  result: Exchange,
): void {
  const { answer, sent } = result;
  const status = answer === undefined ? 'none' : String(answer.status);
  counts.calls += 1;
  counts.statuses[status] = (counts.statuses[status] ?? 0) + 1;
  counts.kinds[request.kind] = (counts.kinds[request.kind] ?? 0) + 1;
  if (answer !== undefined && answer.status < 300 && request.operation !== undefined) {
    const { method, path } = request.operation;
    counts.successes[`${method} ${path}`] = (counts.successes[`${method} ${path}`] ?? 0) + 1;
    if (request.kind === 'as documented') learn(known, path, answer.body);
  }
  for (const what of rules.faults(request, result)) {
    const family = what.replaceAll(/\(.*|[0-9a-f]{8}-[0-9a-f-]{27}|\d{3,}/gs, '…');
    counts.families[family] = (counts.families[family] ?? 0) + 1;
    if ((counts.families[family] ?? 0) > SHOWN_OF_FAMILY) continue;
    const shown =
      answer === undefined
        ? ''
        : `${answer.status} ${[...answer.headers].map(([name, value]) => `${name}: ${value}`).join(' | ')}\n${answer.body}`;
    counts.faults.push({
      what,
      kind: request.kind,
      request: withoutToken(sent).slice(0, SHOWN_BYTES),
      answer: withoutToken(shown).slice(0, SHOWN_BYTES),
    });
  }
}

function learn(known: KnownValues, path: string, body: string): void {
  try {
    known.learn(path, JSON.parse(body));
  } catch {
    // Metrics and event streams are no JSON.
  }
}

/** What is printed and kept holds no credential. */
function withoutToken(text: string): string {
  return text.replaceAll(/\b(mf[a-z]_)[A-Za-z0-9_.-]{20,}/g, '$1…');
}
