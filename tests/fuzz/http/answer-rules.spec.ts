import { expect, it } from 'vitest';
import { AnswerRules } from './answer-rules.ts';
import { type OpenApi, operationsOf } from './openapi.ts';
import type { PlannedRequest } from './planned-request.ts';

/** Rules that find nothing prove nothing. */
const problem = { content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } };
const document: OpenApi = {
  paths: {
    '/hosts': {
      get: {
        responses: {
          200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Hosts' } } } },
          400: { description: '`query_invalid`: Bad query parameters.', ...problem },
          500: { description: '`internal`: A fault of the server.', ...problem },
          404: {
            description: '`oidc_not_set_up`: None is set up.',
            content: { ...problem.content, 'text/html': { schema: { type: 'string' } } },
          },
          503: { description: '`overloaded`: Too much to do.', ...problem },
        },
      },
    },
  },
  components: {
    schemas: {
      Hosts: {
        type: 'object',
        properties: { items: { type: 'array', items: { type: 'string', nullable: true } } },
        required: ['items'],
        additionalProperties: false,
      },
      Problem: {
        type: 'object',
        properties: {
          code: { type: 'string' },
          status: { type: 'integer' },
          detail: { type: 'string' },
          requestId: { type: 'string' },
        },
        required: ['code', 'status'],
      },
    },
  },
};
const [operation] = operationsOf(document);
const request: PlannedRequest = {
  kind: 'as documented',
  operation,
  method: 'GET',
  target: '/hosts',
  headers: [],
  body: undefined,
  framing: 'length',
};
const rules = new AnswerRules(document, ['foreign-host-7']);

function faults(
  status: number,
  body: unknown,
  type = status < 400 ? 'application/json' : 'application/problem+json',
  sent = 'GET /hosts HTTP/1.1',
): string[] {
  const headers = new Map([
    ['content-type', type],
    ['x-request-id', 'r1'],
  ]);
  return rules.faults(request, {
    sent,
    answer: { status, headers, body: typeof body === 'string' ? body : JSON.stringify(body), whole: true },
  });
}
const error = (code: string, status: number, detail = 'no') => ({ code, status, detail, requestId: 'r1' });

it('finds nothing in what is as documented', () => {
  expect(faults(200, { items: ['mine', null] })).toEqual([]);
  expect(faults(400, error('query_invalid', 400))).toEqual([]);
  expect(faults(503, error('overloaded', 503))).toEqual([]);
  expect(faults(404, '<!doctype html>', 'text/html')).toEqual([]);
  expect(faults(400, '<!doctype html>', 'text/html')).not.toEqual([]);
  expect(faults(404, '<!doctype html> foreign-host-7', 'text/html')).not.toEqual([]);
});

it.each([
  ['a field too many', 200, { items: [], more: 1 }, undefined, 'not as documented'],
  ['a field too few', 200, {}, undefined, 'not as documented'],
  ['a status that is not documented', 201, { items: [] }, undefined, '201 is not documented'],
  [
    'a code that is not documented for it',
    400,
    error('body_invalid', 400),
    undefined,
    'body_invalid is not documented',
  ],
  ['a code that nobody knows', 400, error('oops', 400), undefined, 'is in no table'],
  ['a fault of the server', 500, error('internal', 500), undefined, '500 internal'],
  ['an error that is no problem document', 400, { error: 'Bad Request' }, 'application/json', 'is application/json'],
  ['another status inside', 400, error('query_invalid', 404), undefined, 'the problem says 404'],
  ['a redirect', 302, '', undefined, 'a redirect'],
  ['another’s host', 200, { items: ['foreign-host-7'] }, undefined, 'tells of foreign-host-7'],
  [
    'another’s host, in an error',
    400,
    error('query_invalid', 400, 'did you mean foreign-host-7?'),
    undefined,
    'tells of foreign-host-7',
  ],
  [
    'the inside of a program',
    400,
    error('query_invalid', 400, 'at async run (file:///srv/x.js:1)'),
    undefined,
    'shows the inside',
  ],
] as const)('finds %s', (_what, status, body, type, words) => {
  expect(faults(status, body, type).join('\n')).toContain(words);
});

it('what the caller said himself may be said back to him', () => {
  const sent = 'GET /hosts?name=foreign-host-7 HTTP/1.1';
  expect(faults(400, error('query_invalid', 400, 'no host "foreign-host-7"'), undefined, sent)).toEqual([]);
});

it('a connection that is closed without a word is a fault, except after a broken frame', () => {
  const silent = { sent: 'GET', answer: undefined };
  expect(rules.faults(request, silent)).toEqual(['the connection was closed without an answer']);
  expect(rules.faults({ ...request, framing: 'cut' }, silent)).toEqual([]);
});
