import fc from 'fast-check';
import { HOSTILE_PATH_PARTS, hostileBody, hostileText, nearly } from './hostile.ts';
import type { Operation } from './openapi.ts';
import type { SchemaValues } from './schema-values.ts';

/** How the body's length is told. All but `length` and `chunked` are wrong. */
export const FRAMINGS = [
  'length',
  'chunked',
  'cut',
  'bad-chunk',
  'length-and-chunked',
  'two-lengths',
  'negative-length',
  'bare-newlines',
  'no-host',
  'http-0.9',
  'http-2',
  'space-in-name',
  'folded-header',
] as const;
export type Framing = (typeof FRAMINGS)[number];

export type Header = readonly [name: string, value: string];

/** A request before the known values and the credential are put in. */
export interface PlannedRequest {
  /** What is wrong with it, if anything. */
  readonly kind: string;
  /** The operation that it certainly is a request of, whose documented answers hold for it. */
  readonly operation: Operation | undefined;
  readonly method: string;
  /** Path and query, encoded. */
  readonly target: string;
  readonly headers: readonly Header[];
  readonly body: string | Uint8Array | undefined;
  readonly framing: Framing;
}

/** Requests of every sort for one operation: as documented, nearly so, and hostile. */
export function requestsOf(operation: Operation, values: SchemaValues): fc.Arbitrary<PlannedRequest> {
  const valid = validRequest(operation, values);
  const withBody = operation.body !== undefined;
  return fc.oneof(
    { weight: 32, arbitrary: valid },
    { weight: withBody ? 22 : 2, arbitrary: nearlyBody(valid, operation, values) },
    { weight: withBody ? 12 : 3, arbitrary: badBody(valid) },
    { weight: 14, arbitrary: badQuery(valid) },
    { weight: 8, arbitrary: badPath(valid) },
    { weight: 10, arbitrary: badHeaders(valid) },
    { weight: 5, arbitrary: otherMethod(valid) },
    { weight: 5, arbitrary: badFraming(valid) },
  );
}

const JSON_TYPE: Header = ['content-type', 'application/json'];

function validRequest(operation: Operation, values: SchemaValues): fc.Arbitrary<PlannedRequest> {
  const of = (place: string) => operation.parameters.filter((parameter) => parameter.in === place);
  const inPath = fc.record(
    Object.fromEntries(
      of('path').map(({ name, schema }) => [name, values.inPath(operation.path, name, schema ?? { type: 'string' })]),
    ),
  );
  const inQuery = fc.record(
    Object.fromEntries(of('query').map(({ name, schema }) => [name, values.of(schema ?? { type: 'string' }, name)])),
    { requiredKeys: of('query').flatMap(({ name, required }) => (required === true ? [name] : [])) },
  );
  const key = of('header').some(({ name }) => name.toLowerCase() === 'idempotency-key');
  const body =
    operation.body === undefined
      ? fc.constant(undefined)
      : values.of(operation.body).map((value) => JSON.stringify(value));
  return fc.record({ inPath, inQuery, body, key: fc.uuid() }).map((parts) => {
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => encoded(String(parts.inPath[name])));
    const query = Object.entries(parts.inQuery).map(([name, value]) => `${encoded(name)}=${encoded(String(value))}`);
    const empty = Object.values(parts.inPath).includes('');
    return {
      kind: 'as documented',
      operation: empty ? undefined : operation,
      method: operation.method,
      target: query.length === 0 ? path : `${path}?${query.join('&')}`,
      headers: [
        ...(parts.body === undefined ? [] : [JSON_TYPE]),
        ...(key ? ([['idempotency-key', parts.key]] as const) : []),
      ],
      body: parts.body,
      framing: 'length',
    };
  });
}

function nearlyBody(
  valid: fc.Arbitrary<PlannedRequest>,
  { body }: Operation,
  values: SchemaValues,
): fc.Arbitrary<PlannedRequest> {
  const document = body === undefined ? fc.constant({}) : values.of(body);
  return fc
    .tuple(valid, nearly(document))
    .map(([request, text]) => ({ ...request, kind: 'body nearly right', headers: typed(request.headers), body: text }));
}

function badBody(valid: fc.Arbitrary<PlannedRequest>): fc.Arbitrary<PlannedRequest> {
  const type = fc.constantFrom(
    'application/json',
    'application/json',
    'application/json; charset=utf-16',
    'application/merge-patch+json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    '',
    'x',
    `application/${'x'.repeat(200)}`,
  );
  const encoding = fc.constantFrom(undefined, undefined, undefined, 'gzip', 'deflate, br', 'identity');
  const framing = fc.constantFrom<Framing>('length', 'chunked');
  return fc.record({ request: valid, body: hostileBody, type, encoding, framing }).map((made) => ({
    ...made.request,
    kind: 'bad body',
    headers: [
      ...made.request.headers.filter(([name]) => name !== 'content-type'),
      ['content-type', made.type] as const,
      ...(made.encoding === undefined ? [] : [['content-encoding', made.encoding] as const]),
    ],
    body: made.body,
    framing: made.framing,
  }));
}

function badQuery(valid: fc.Arbitrary<PlannedRequest>): fc.Arbitrary<PlannedRequest> {
  const name = fc.oneof(
    fc.constantFrom('limit', 'cursor', 'selector', 'host', 'name', 'includeRetired', 'presence', 'state', 'since'),
    hostileText,
  );
  const pair = fc.tuple(name, hostileText).map(([left, right]) => `${encoded(left)}=${encoded(right)}`);
  const raw = fc.constantFrom(
    'limit=%zz',
    'limit',
    '=',
    '&&&',
    'a[b]=c',
    'limit[]=1',
    'limit=1&limit=2',
    'selector=%ff',
    '?',
    'limit=1;cursor=2',
    'x'.repeat(8_000),
  );
  return fc
    .tuple(valid, fc.array(fc.oneof({ weight: 3, arbitrary: pair }, raw), { minLength: 1, maxLength: 4 }))
    .map(([request, parts]) => ({
      ...request,
      kind: 'bad query',
      target: `${request.target}${request.target.includes('?') ? '&' : '?'}${parts.join('&')}`,
    }));
}

function badPath(valid: fc.Arbitrary<PlannedRequest>): fc.Arbitrary<PlannedRequest> {
  const change = fc.record({
    at: fc.nat(),
    part: fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...HOSTILE_PATH_PARTS) }, hostileText.map(encoded)),
    how: fc.constantFrom('replace', 'insert', 'append', 'absolute', 'case', 'double'),
  });
  return fc.tuple(valid, change).map(([request, { at, part, how }]) => {
    const [path = '', ...query] = request.target.split('?');
    const parts = path.split('/');
    const place = 1 + (at % Math.max(1, parts.length - 1));
    const changed: Record<typeof how, string> = {
      replace: parts.with(place, part).join('/'),
      insert: parts.toSpliced(place, 0, part).join('/'),
      append: `${path}/${part}`,
      absolute: `http://127.0.0.1${path}`,
      case: path.toUpperCase(),
      double: path.replaceAll('/', '//'),
    };
    return { ...request, kind: 'bad path', operation: undefined, target: [changed[how], ...query].join('?') };
  });
}

function badHeaders(valid: fc.Arbitrary<PlannedRequest>): fc.Arbitrary<PlannedRequest> {
  const one = fc.constantFrom<readonly Header[]>(
    [['idempotency-key', '']],
    [['idempotency-key', 'x'.repeat(300)]],
    [['idempotency-key', 'a b']],
    [['accept', 'text/html']],
    [['accept', '*/*;q=nonsense']],
    [['accept', 'text/csv']],
    [['accept', 'application/x-ndjson;q=0, TEXT/CSV']],
    [['accept-encoding', 'gzip, br, zstd']],
    [['if-none-match', '*']],
    [['range', 'bytes=0-1']],
    [['origin', 'https://example.org']],
    [['cookie', `session=${'x'.repeat(3_000)}`]],
    [['expect', '100-continue']],
    [['expect', 'nonsense']],
    [
      ['upgrade', 'websocket'],
      ['connection', 'upgrade'],
    ],
    [
      ['upgrade', 'h2c'],
      ['http2-settings', 'AAMAAABkAAQAAP__'],
      ['connection', 'upgrade, http2-settings'],
    ],
    [['last-event-id', '-1']],
    [['last-event-id', 'x'.repeat(2_000)]],
    [['x-forwarded-for', '192.0.2.1, 198.51.100.2']],
    [['x-forwarded-host', 'evil.example']],
    [['x-forwarded-proto', 'https']],
    [['forwarded', 'for=192.0.2.1;host=evil.example']],
    [['x-http-method-override', 'DELETE']],
    [['x-original-url', '/api/v1/hosts']],
    [['x-request-id', 'a\u00ff']],
    [['te', 'trailers']],
    [['trailer', 'authorization']],
    [['host', 'evil.example']],
    Array.from({ length: 150 }, (_, at): Header => [`x-flood-${at}`, 'y']),
    Array.from({ length: 3_000 }, (_, at): Header => [`x-flood-${at}`, 'y']),
    [['x-long', 'y'.repeat(15_000)]],
    [['x-long', 'y'.repeat(40_000)]],
  );
  return fc.tuple(valid, fc.array(one, { minLength: 1, maxLength: 3 })).map(([request, added]) => ({
    ...request,
    kind: 'bad headers',
    headers: [...request.headers.filter(([name]) => !added.flat().some(([other]) => other === name)), ...added.flat()],
  }));
}

function otherMethod(valid: fc.Arbitrary<PlannedRequest>): fc.Arbitrary<PlannedRequest> {
  const method = fc.constantFrom(
    'HEAD',
    'OPTIONS',
    'PUT',
    'POST',
    'PATCH',
    'DELETE',
    'GET',
    'TRACE',
    'CONNECT',
    'PROPFIND',
    'SEARCH',
    'FOO',
    'get',
    'x'.repeat(300),
  );
  return fc
    .tuple(valid, method)
    .map(([request, other]) => ({ ...request, kind: 'other method', operation: undefined, method: other }));
}

function badFraming(valid: fc.Arbitrary<PlannedRequest>): fc.Arbitrary<PlannedRequest> {
  return fc.tuple(valid, fc.constantFrom(...FRAMINGS.slice(2))).map(([request, framing]) => ({
    ...request,
    kind: `framing: ${framing}`,
    operation: undefined,
    headers: typed(request.headers),
    body: request.body ?? '{"reason":"x"}',
    framing,
  }));
}

function typed(headers: readonly Header[]): readonly Header[] {
  return headers.some(([name]) => name === 'content-type') ? headers : [JSON_TYPE, ...headers];
}

/** Percent-encoded; placeholders stay as they are until they are filled. */
function encoded(text: string): string {
  return text
    .toWellFormed()
    .split(/(\uE000[a-z-]+:\d+\uE001)/)
    .map((part, at) => (at % 2 === 1 ? part : encodeURIComponent(part)))
    .join('');
}
