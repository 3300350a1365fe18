import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { ERROR_TABLE } from '../../../services/server/src/errors/error-table.ts';
import type { OpenApi, Operation, Schema } from './openapi.ts';
import type { PlannedRequest } from './planned-request.ts';
import type { Exchange, RawAnswer } from './raw-exchange.ts';

/** Statuses that any request may get before an operation sees it. */
const BEFORE_ANY_OPERATION: ReadonlySet<string> = new Set(['request_malformed', 'headers_too_large', 'rate_limited']);

/** Causes that the server may name for 503. Nothing in this fuzzing takes the database away, so only the first is expected, and counted. */
const DECLARED_503: ReadonlySet<string> = new Set(['overloaded', 'database_unavailable']);

/** What the inside of a program looks like. */
const INSIDE =
  /node_modules|\bat (async )?[\w.<>]+ \(|file:\/\/|\bSELECT\b.+\bFROM\b|\bprisma\b|PostgresError|\bECONN|\bundefined\b|\[object Object\]|Invalid input/i;

/** Says what is wrong with answers; nothing else. */
export class AnswerRules {
  readonly #ajv = new Ajv({ strict: false, allErrors: false, validateFormats: true });
  readonly #document: OpenApi;
  readonly #validators = new Map<Schema, ValidateFunction>();
  readonly #secrets: readonly string[];

  /** @param secrets texts that this caller must never see, unless it sent them itself. */
  constructor(document: OpenApi, secrets: readonly string[]) {
    this.#document = document;
    this.#secrets = secrets;
    addFormats.default(this.#ajv);
    for (const [name, schema] of Object.entries(document.components.schemas))
      this.#ajv.addSchema(asJsonSchema(schema) as object, `#/components/schemas/${name}`);
  }

  /** Empty: nothing is wrong. */
  faults(request: PlannedRequest, { sent, answer }: Exchange): string[] {
    // Of a broken frame nobody need be told; Node.js closes CONNECT without a word.
    if (answer === undefined)
      return request.framing !== 'length' && request.framing !== 'chunked'
        ? []
        : request.method === 'CONNECT'
          ? []
          : ['the connection was closed without an answer'];
    const faults = [...this.#leaks(sent, answer), ...this.#form(request, answer)];
    if (
      answer.headers.get('x-request-id') === undefined &&
      answer.headers.get('content-type')?.includes('problem') !== true
    )
      faults.push('no x-request-id');
    return faults;
  }

  #leaks(sent: string, answer: RawAnswer): string[] {
    const known = `${sent}\n${unescaped(sent)}`;
    const all = `${[...answer.headers].map((header) => header.join(': ')).join('\n')}\n${answer.body}`;
    const leaked = this.#secrets
      .filter((secret) => all.includes(secret) && !known.includes(secret))
      .map((secret) => `tells of ${secret}`);
    const inside = answer.status >= 400 ? INSIDE.exec(answer.body)?.[0] : undefined;
    return inside !== undefined && !known.toLowerCase().includes(inside.toLowerCase()) && !echoed(inside, known)
      ? [...leaked, `shows the inside: ${inside}`]
      : leaked;
  }

  #form(request: PlannedRequest, answer: RawAnswer): string[] {
    const { operation } = request;
    const type = answer.headers.get('content-type')?.split(';')[0] ?? '';
    if (answer.status >= 300 && answer.status < 400)
      return [`a redirect (${answer.status}) to ${answer.headers.get('location') ?? ''}`];
    // Without its body, a 503 that says when to come back is one of those that are documented.
    if (request.method === 'HEAD' && answer.status === 503 && answer.headers.has('retry-after')) return [];
    if (request.method === 'HEAD') return answer.status >= 500 ? [`HEAD answered ${answer.status}`] : [];
    if (answer.status < 400) return operation === undefined ? [] : this.#success(operation, answer, type);
    // Readiness answers 503 in a form of its own.
    if (operation?.answers.get(answer.status)?.types.includes(type) === true && type === 'application/json')
      return this.#success(operation, answer, type);
    // A page for a person in front of a browser, where that is documented.
    if (type === 'text/html' && operation?.answers.get(answer.status)?.types.includes(type) === true) return [];
    return this.#problem(operation, answer, type);
  }

  #success(operation: Operation, answer: RawAnswer, type: string): string[] {
    const declared = operation.answers.get(answer.status);
    if (declared === undefined) return [`${answer.status} is not documented`];
    if (declared.schema === undefined || type === 'text/event-stream') return [];
    // Text that is documented beside JSON: a list that was asked for whole.
    if (type !== 'application/json' && declared.types.includes(type)) return [];
    if (type !== 'application/json') return [`${answer.status} is ${type}, not application/json`];
    return this.#invalid(declared.schema, answer.body);
  }

  #problem(operation: Operation | undefined, answer: RawAnswer, type: string): string[] {
    if (type !== 'application/problem+json')
      return [`${answer.status} is ${type === '' ? 'without a type' : type}: ${answer.body.slice(0, 200)}`];
    const invalid = this.#invalid({ $ref: '#/components/schemas/Problem' }, answer.body);
    if (invalid.length > 0) return invalid;
    const problem = JSON.parse(answer.body) as { code: string; status: number; requestId: string; detail: string };
    const faults: string[] = [];
    if (!Object.hasOwn(ERROR_TABLE, problem.code)) faults.push(`the code ${problem.code} is in no table`);
    if (problem.status !== answer.status)
      faults.push(`the problem says ${problem.status}, the answer ${answer.status}`);
    if (answer.headers.get('x-request-id') !== problem.requestId) faults.push('x-request-id and requestId differ');
    if (answer.status >= 500 && !(answer.status === 503 && DECLARED_503.has(problem.code)))
      faults.push(`${answer.status} ${problem.code}: ${problem.detail}`);
    if (operation !== undefined && !BEFORE_ANY_OPERATION.has(problem.code) && answer.status < 500) {
      const declared = operation.answers.get(answer.status);
      if (declared?.codes.includes(problem.code) !== true)
        faults.push(`${answer.status} ${problem.code} is not documented (${problem.detail.slice(0, 120)})`);
    }
    return faults;
  }

  #invalid(schema: Schema, body: string): string[] {
    let value: unknown;
    try {
      value = JSON.parse(body);
    } catch {
      return [`the body is not JSON: ${body.slice(0, 200)}`];
    }
    const validate = this.#validators.get(schema) ?? this.#ajv.compile(asJsonSchema(schema) as object);
    this.#validators.set(schema, validate);
    if (validate(value) === true) return [];
    const [first] = validate.errors ?? [];
    return [
      `the body is not as documented: ${first?.instancePath ?? ''} ${first?.message ?? ''} ${JSON.stringify(first?.params ?? {})}`,
    ];
  }

  get document(): OpenApi {
    return this.#document;
  }
}

/** OpenAPI 3.0's `nullable` said as JSON Schema says it. */
function asJsonSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(asJsonSchema);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { nullable, example: _example, ...rest } = schema as Record<string, unknown>;
  const converted = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, key === 'enum' ? value : asJsonSchema(value)]),
  );
  return nullable === true ? { anyOf: [converted, { type: 'null' }] } : converted;
}

function unescaped(sent: string): string {
  const target = sent.split(' ', 2)[1] ?? '';
  try {
    return `${decodeURIComponent(target)}\n${Buffer.from(sent, 'latin1').toString('utf8')}`;
  } catch {
    return Buffer.from(sent, 'latin1').toString('utf8');
  }
}

/** The words of the request come back in sentences, cut and quoted. */
function echoed(inside: string, known: string): boolean {
  return known.toLowerCase().includes(inside.toLowerCase().slice(0, 8));
}
