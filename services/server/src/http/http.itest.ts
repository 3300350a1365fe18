import { describe, expect, it } from 'vitest';
import { ApiServer } from '../testing/api-server.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';

let server: ApiServer;

onTestDatabase(async (url) => (server = await ApiServer.start(url)));

const patch = (text: string, headers: Record<string, string> = {}) =>
  server.call('PATCH', '/api/v1/hosts', { text, headers });

describe('bodies', () => {
  it.each([
    ['{"all":true', 400, 'body_invalid', 'not JSON'],
    ['[]', 400, 'body_invalid', 'takes an object'],
    ['"text"', 400, 'body_invalid', 'takes an object'],
    ['', 400, 'body_invalid', 'labels'],
    [`${'{"a":'.repeat(200)}1${'}'.repeat(200)}`, 400, 'body_invalid', 'nested deeper'],
    ['{"all":true,"labels":{"a":"b"},"colour":"red"}', 400, 'body_invalid', 'colour'],
    [JSON.stringify({ all: true, labels: { a: 'x'.repeat(2_000_000) } }), 413, 'body_too_large', '1 MiB'],
  ])('%.40s answers %d %s', async (text, status, code, detail) => {
    const answer = await patch(text);
    expect(answer).toMatchObject({ status, body: { code } });
    expect(answer.body.detail).toContain(detail);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx'])(
    '%s is refused',
    async (type) => {
      expect((await patch('{}', { 'content-type': type })).body).toMatchObject({
        status: 415,
        code: 'content_type_unsupported',
      });
    },
  );

  it.each(['gzip', 'br', 'gzip, identity', 'x'])(
    'a body in %s is refused as that, not as broken JSON',
    async (encoding) => {
      const { body } = await patch('{"all":true,"labels":{"a":"b"}}', { 'content-encoding': encoding });
      expect(body).toMatchObject({ status: 415, code: 'content_type_unsupported' });
      expect(body.detail).toContain(`Content-Encoding "${encoding}"`);
    },
  );

  it('identity is no encoding', async () => {
    const answer = await patch('{"all":true,"labels":{"a":"b"}}', { 'content-encoding': 'Identity' });
    expect(answer.status).toBe(200);
  });

  it('JSON with a charset is JSON', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    expect((await patch('{"all":true,"labels":{"a":"b"}}', headers)).status).toBe(200);
  });

  it('lists every field that is wrong', async () => {
    const answer = await patch('{"all":true,"labels":{"a b":"x","c":"d e"}}');
    expect(answer.body.errors?.map((error) => error.path)).toEqual(['labels.a b', 'labels.c']);
  });
});

describe('answers', () => {
  it('carry the id that the problem names', async () => {
    const answer = await server.call('GET', '/api/v1/hosts/none');
    expect(answer.headers['x-request-id']).toBe(answer.body.requestId);
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('a URL that is none is a problem document too', async () => {
    expect((await server.call('GET', '/api/v1/%zz')).body).toMatchObject({ status: 400, code: 'query_invalid' });
  });

  it('say in every object whether the fleet is frozen', async () => {
    await server.call('POST', '/api/v1/freeze', { body: { reason: 'incident 7' } });
    const { body } = await server.call<{ freeze: unknown }>('GET', '/api/v1/hosts');
    expect(body.freeze).toMatchObject({ by: 'tests', reason: 'incident 7' });
    await server.call('POST', '/api/v1/thaw', { body: {} });
    expect((await server.call<{ freeze: unknown }>('GET', '/api/v1/hosts')).body.freeze).toBeNull();
  });
});

describe('the OpenAPI document', () => {
  it('has every route with its schemas, and errors that the table knows', async () => {
    const { body } = await server.call<OpenApi>('GET', '/api/v1/openapi.json');
    const operations = Object.entries(body.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
    expect(operations.length).toBeGreaterThanOrEqual(24);
    expect(operations.flatMap(({ path, method, operation }) => gapsOf(path, method, operation))).toEqual([]);
  });

  it('refers to nothing that it does not hold', async () => {
    const { body } = await server.call<OpenApi>('GET', '/api/v1/openapi.json');
    const references = [...JSON.stringify(body).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
      (match) => match[1] ?? '',
    );
    expect(references).toContain('Problem');
    expect(references).toContain('KmodHostList');
    expect(references.filter((name) => body.components.schemas[name] === undefined)).toEqual([]);
    expect(JSON.stringify(body)).not.toContain('#/$defs');
  });
});

interface Operation {
  readonly summary?: string;
  readonly requestBody?: unknown;
  readonly responses: Record<string, { content?: object }>;
}

interface OpenApi {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, unknown> };
}

/** What the document leaves out of an operation. */
function gapsOf(path: string, method: string, operation: Operation): string[] {
  const good = Object.entries(operation.responses).filter(([status]) => status.startsWith('2') || status === '302');
  const needed = path.startsWith('/api/') ? ['401', '403', '500', '503'] : [];
  const takesBody = ['post', 'patch'].includes(method) && !path.endsWith('/cancel');
  const gaps = [
    ...(operation.summary === undefined ? ['summary'] : []),
    ...(good.length === 0 ? ['good answer'] : []),
    ...good
      .filter(([status, response]) => status !== '302' && Object.keys(response.content ?? {}).length === 0)
      .map(([status]) => `schema of ${status}`),
    ...needed.filter((status) => operation.responses[status] === undefined),
    ...(takesBody && operation.requestBody === undefined ? ['body'] : []),
  ];
  return gaps.map((gap) => `${method} ${path}: ${gap}`);
}
