import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCaptured, whatCanChange } from '../support/captured.ts';
import { TestFleet } from '../support/fleet.ts';
import { eventually } from '../support/wait.ts';

/** Each bad input has its own clear error and changes nothing, over HTTP and in the command. */
let fleet: TestFleet;
let before: unknown;

beforeAll(async () => {
  fleet = await TestFleet.start();
  await startCaptured(fleet, 'odd-names');
  await startCaptured(fleet, 'debian-6.12-xz', 'first');
  before = await whatCanChange(fleet);
});
afterAll(async () => {
  await fleet?.stop();
});

async function refused(
  [method, path, body, headers]: readonly [string, string, unknown?, Record<string, string>?],
  status: number,
  code: string,
  words: string,
): Promise<Record<string, unknown>> {
  const answer = await fleet.api(method, path, body, headers);
  expect(answer).toMatchObject({ status, body: { code, status } });
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(answer.body['requestId']).toBe(answer.headers.get('x-request-id'));
  expect(answer.body['detail']).toContain(words);
  expect(answer.body['detail']).not.toMatch(/Invalid input|Unrecognized|Too (small|big)|undefined/);
  expect(await whatCanChange(fleet)).toEqual(before);
  return answer.body;
}

const LOAD = { host: 'odd', verb: 'load', kmod: 'nfs' };

describe('names of kmods', () => {
  it.each([
    ['an option', '-r', 'looks like an option'],
    ['a long option', '--remove', 'looks like an option'],
    ['too long', 'a'.repeat(56), 'at most 55 characters'],
    ['a path', '../../etc/passwd', '"." is not a letter'],
    ['a file', '/lib/modules/x.ko', '"/" is not a letter'],
    ['shell text', '$(reboot)', '"$" is not a letter'],
    ['more shell text', 'a;reboot', '";" is not a letter'],
    ['a newline', 'a\nb', '"\\n" is not a letter'],
    ['a blank', ' ', '" " is not a letter'],
    ['a look-alike letter', 'n\u0444s', '(U+0444)'],
    ['a letter nobody sees', '\u200bnfs', '(U+200B)'],
  ])('%s', async (_what, name, words) => {
    await refused(['GET', `/api/v1/kmods/${encodeURIComponent(name)}/hosts`], 400, 'kmod_name_invalid', words);
    await refused(['GET', `/api/v1/kmods/${encodeURIComponent(name)}`], 400, 'kmod_name_invalid', words);
    await refused(['POST', '/api/v1/actions', { ...LOAD, kmod: name }], 400, 'kmod_name_invalid', words);
    await refused(['POST', '/api/v1/queries', { kmods: [name], all: true }], 400, 'kmod_name_invalid', words);
  });

  it('empty and with a NUL', async () => {
    await refused(['POST', '/api/v1/actions', { ...LOAD, kmod: '' }], 400, 'kmod_name_invalid', 'is empty');
    await refused(['POST', '/api/v1/actions', { ...LOAD, kmod: 'a\0' }], 400, 'body_invalid', 'NUL');
    await refused(['GET', '/api/v1/kmods/a%00/hosts'], 400, 'kmod_name_invalid', '\\u0000');
  });

  it.each([
    [['kmods', 'load', '--host', 'odd', '--', '-r'], 'looks like an option'],
    [['kmods', 'load', '-r', '--host', 'odd'], "unknown option '-r'"],
    [['kmods', 'unload', '', '--host', 'odd'], 'is empty'],
    [['kmods', 'hosts', '$(reboot)'], 'is no kmod name'],
    [['kmods', 'hosts', 'n\u0444s'], 'U+0444'],
    [['kmods', 'hosts', 'nfs', '--limit', '0'], 'from 1 to 1000'],
    [['kmods', 'hosts', 'nfs', '--limit', '1000000000'], 'from 1 to 1000'],
    [['kmods', 'hosts', 'nfs', '--presence', 'here'], 'takes one of'],
    [['kmods', 'load', 'nfs', '--host', 'odd', '--param', 'a=b c'], 'white space'],
    [['kmods', 'load', 'nfs', '--host', 'odd', '--expires-in', '1y'], 'takes a time'],
    [['kmods', 'load', 'nfs'], '--host'],
    [['hosts', 'label', 'env=x'], 'no host is named'],
    [['hosts', 'label', '-l', '', 'env=x'], 'selector is empty'],
    [['freeze', '--reason', ''], 'say why'],
  ])('the command refuses %j', async (args, words) => {
    const end = await fleet.modfleet(...args);
    expect(end).toMatchObject({ code: 2, stdout: '' });
    expect(end.stderr).toContain(words);
    expect(await whatCanChange(fleet)).toEqual(before);
  });
});

describe('hosts', () => {
  it('an unknown one', async () => {
    await refused(['GET', '/api/v1/hosts/web-99'], 404, 'host_not_found', '"web-99"');
    await refused(['DELETE', '/api/v1/hosts/web-99'], 404, 'host_not_found', '"web-99"');
    await refused(['POST', '/api/v1/actions', { ...LOAD, host: 'web-99' }], 404, 'host_not_found', '"web-99"');
    await refused(
      ['PATCH', '/api/v1/hosts', { hosts: ['odd', 'web-99'], labels: { a: 'b' } }],
      404,
      'host_not_found',
      '"web-99"',
    );
    const end = await fleet.modfleet('kmods', 'load', 'nfs', '--host', 'web-99');
    expect(end).toMatchObject({ code: 3, stdout: '' });
  });

  it('a change that names no host, or in two ways', async () => {
    const labels = { a: 'b' };
    await refused(['PATCH', '/api/v1/hosts', { labels }], 400, 'body_invalid', 'exactly one way');
    await refused(
      ['PATCH', '/api/v1/hosts', { all: true, hosts: ['odd'], labels }],
      400,
      'body_invalid',
      'exactly one way',
    );
  });
});

describe('selectors', () => {
  it.each([
    ['env^', 3, '"^"'],
    ['a,,b', 2, '","'],
    ['@foo=1', 1, '@foo'],
    ['env in (', 8, 'the end'],
    ['', 0, 'empty'],
  ])('%j is wrong at %i', async (selector, offset, words) => {
    const query = `selector=${encodeURIComponent(selector)}`;
    const problem = await refused(['GET', `/api/v1/hosts?${query}`], 400, 'selector_invalid', words);
    expect(problem['offset']).toBe(offset);
    await refused(['GET', `/api/v1/kmods/nfs/hosts?${query}`], 400, 'selector_invalid', words);
    await refused(['PATCH', '/api/v1/hosts', { selector, labels: { a: 'b' } }], 400, 'selector_invalid', words);
  });

  it('the command points at the character', async () => {
    const end = await fleet.modfleet('kmods', 'hosts', 'nfs', '-l', 'env^x');
    expect(end).toMatchObject({ code: 2, stdout: '' });
    expect(end.stderr).toContain('  env^x\n     ^\n');
  });
});

describe('pages', () => {
  const lists = ['hosts', 'kmods', 'actions', 'join-tokens', 'kmods/nfs/hosts', 'hosts/odd/kmods', 'hosts/odd/events'];

  it.each(lists)('page sizes of %s', async (list) => {
    for (const limit of ['0', '1000000000', '-1', '1.5', 'ten', ''])
      await refused(['GET', `/api/v1/${list}?limit=${limit}`], 400, 'limit_invalid', '1 to 1000');
  });

  it.each(lists)('forged cursors of %s', async (list) => {
    for (const cursor of ['x', 'eyJhIjoxfQ.abcd', `${'A'.repeat(40)}.${'B'.repeat(43)}`])
      await refused(['GET', `/api/v1/${list}?cursor=${cursor}`], 400, 'cursor_invalid', 'no cursor');
  });

  it('a cursor of another list, of other filters, with one letter changed', async () => {
    const cursor = String((await fleet.api('GET', '/api/v1/kmods?limit=1')).body['nextCursor']);
    const forged = `${cursor.slice(0, 8)}${cursor[8] === 'A' ? 'B' : 'A'}${cursor.slice(9)}`;
    for (const path of [`hosts?cursor=${cursor}`, `kmods?name=n*&cursor=${cursor}`, `kmods?limit=1&cursor=${forged}`])
      await refused(['GET', `/api/v1/${path}`], 400, 'cursor_invalid', 'cursor');
    expect((await fleet.api('GET', `/api/v1/kmods?limit=1&cursor=${cursor}`)).status).toBe(200);
  });
});

describe('bodies', () => {
  it.each([
    ['unknown fields', JSON.stringify({ ...LOAD, force: true }), 'no field "force"'],
    ['a missing field', '{"host":"odd","verb":"load"}', 'kmod is missing'],
    [
      'a wrong verb',
      JSON.stringify({ ...LOAD, verb: 'remove' }),
      'verb takes one of load, unload, reload, ensure_loaded, ensure_unloaded, set_parameters, not "remove"',
    ],
    ['a text for a flag', JSON.stringify({ ...LOAD, dryRun: 'yes' }), 'dryRun takes true or false'],
    ['a field given twice', '{"host":"first","host":"odd","verb":"load","kmod":"nfs"}', '"host" twice'],
    ['deep JSON', `{"host":${'['.repeat(50_000)}`, 'deeper than 32'],
    ['no JSON', '{"host":', 'not JSON'],
    ['a list', '[]', 'takes an object'],
    ['a prototype', '{"__proto__":{"host":"odd"},"verb":"load","kmod":"nfs"}', '__proto__'],
    ['a parameter of an unload', JSON.stringify({ ...LOAD, verb: 'unload', parameters: { a: '1' } }), 'no parameters'],
    ['a parameter with a newline', JSON.stringify({ ...LOAD, parameters: { a: '1\n2' } }), 'parameters.a'],
    ['a time that is over', JSON.stringify({ ...LOAD, expiresIn: 0 }), 'expiresIn takes at least 5'],
  ])('%s', async (_what, body, words) => {
    await refused(['POST', '/api/v1/actions', body], 400, 'body_invalid', words);
  });

  it('a huge one, and one of another type', async () => {
    const huge = JSON.stringify({ ...LOAD, reason: 'x'.repeat(2 * 1024 * 1024) });
    await refused(['POST', '/api/v1/actions', huge], 413, 'body_too_large', '1 MiB');
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-16'])
      await refused(
        ['POST', '/api/v1/actions', LOAD, { 'content-type': type }],
        415,
        'content_type_unsupported',
        'application/json',
      );
  });

  it('query parameters that nobody reads', async () => {
    await refused(['DELETE', '/api/v1/hosts/odd?dryRun=true'], 400, 'query_invalid', '"dryRun"');
    await refused(['POST', '/api/v1/actions?dryRun=true', LOAD], 400, 'query_invalid', '"dryRun"');
    await refused(['GET', '/api/v1/hosts?slector=env'], 400, 'query_invalid', '"slector"');
  });

  it('another method, another path', async () => {
    await refused(['PUT', '/api/v1/kmods', {}], 405, 'method_not_allowed', 'has no PUT, but GET');
    await refused(['GET', '/api/v1/modules'], 404, 'not_found', '/api/v1/modules');
  });
});

describe('idempotency keys', () => {
  it('none, and one that is no key', async () => {
    for (const key of ['', 'a b', 'x'.repeat(300)])
      await refused(
        ['POST', '/api/v1/freeze', { reason: 'test' }, { 'idempotency-key': key }],
        400,
        'idempotency_key_required',
        'Idempotency-Key',
      );
  });

  it('the same key again answers the same, and with another body is refused', async () => {
    const headers = { 'idempotency-key': `made-once-${process.pid}` };
    const first = await fleet.api('POST', '/api/v1/join-tokens', { name: 'one' }, headers);
    const again = await fleet.api('POST', '/api/v1/join-tokens', { name: 'one' }, headers);
    expect(again.body['id']).toBe(first.body['id']);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    before = await whatCanChange(fleet);
    await refused(
      ['POST', '/api/v1/join-tokens', { name: 'two' }, headers],
      422,
      'idempotency_mismatch',
      'another request',
    );
  });
});

describe('tokens', () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const made = async (...args: string[]): Promise<string> => {
    const end = await fleet.serverCommand('token', 'create', '--name', 'test', ...args);
    expect(end).toMatchObject({ code: 0 });
    return end.stdout.trim().split('\n').at(-1) ?? '';
  };

  it('absent, not one, and never made', async () => {
    for (const authorization of ['', 'Basic abc', 'Bearer', 'Bearer mfl_short', `Bearer mfl_${'x'.repeat(43)}`])
      for (const path of ['/api/v1/hosts', '/api/v1/openapi.json', '/api/v1/nothing', '/'])
        await refused(['GET', path, undefined, { authorization }], 401, 'unauthenticated', 'token');
    expect((await fetch(`${fleet.http}/healthz`)).status).toBe(200);
  });

  it('revoked', async () => {
    const token = await made();
    expect((await fleet.api('GET', '/api/v1/hosts', undefined, bearer(token))).status).toBe(200);
    expect(await fleet.serverCommand('token', 'revoke', token.slice(0, 12))).toMatchObject({ code: 0 });
    await eventually('the token is refused', async () => {
      const { status } = await fleet.api('GET', '/api/v1/hosts', undefined, bearer(token));
      return status === 401 || undefined;
    });
    await refused(['GET', '/api/v1/hosts', undefined, bearer(token)], 401, 'token_revoked', 'revoked');
    await refused(['POST', '/api/v1/actions', LOAD, bearer(token)], 401, 'token_revoked', 'revoked');
  });

  it('expired', async () => {
    const token = await made('--expires-in', '1s');
    await eventually('the token is over', async () => {
      const { status } = await fleet.api('GET', '/api/v1/hosts', undefined, bearer(token));
      return status === 401 || undefined;
    });
    await refused(['POST', '/api/v1/actions', LOAD, bearer(token)], 401, 'token_expired', 'expired');
  });
});

describe('a name that two hosts have', () => {
  it('is refused with both ids, and stands for neither', async () => {
    await startCaptured(fleet, 'debian-6.12-xz', 'second');
    before = await whatCanChange(fleet);
    const problem = await refused(['GET', '/api/v1/hosts/web-12'], 409, 'host_ambiguous', 'web-12');
    expect(problem['candidates']).toHaveLength(2);
    await refused(['POST', '/api/v1/actions', { ...LOAD, host: 'web-12' }], 409, 'host_ambiguous', 'web-12');
    await refused(['DELETE', '/api/v1/hosts/web-12'], 409, 'host_ambiguous', 'web-12');
    const end = await fleet.modfleet('kmods', 'unload', 'dummy', '--host', 'web-12');
    expect(end).toMatchObject({ code: 6, stdout: '' });
    for (const id of problem['candidates'] as string[]) expect(end.stderr).toContain(id);
  });
});
