import { describe, expect, it } from 'vitest';
import type { EventList, HostList } from '@modfleet/server/api-types';
import { type Handler, json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { AS_OF, coverage, e1000eHosts, hostSummary } from '../testing/samples.ts';

const cli = useCli();

const first: HostList = {
  items: [hostSummary(1)],
  nextCursor: 'more',
  matched: 2,
  unknown: 1,
  asOf: AS_OF,
  coverage: coverage(),
  freeze: { by: 'kim', reason: 'storage move', at: AS_OF },
};

/** Text in pieces; `whole: false` breaks off instead of ending. */
const pieces =
  (type: string, texts: readonly (string | Buffer)[], whole = true): Handler =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` });
    for (const text of texts) response.write(text);
    if (whole) response.end();
    else setTimeout(() => response.destroy(), 50);
  };

describe('--output', () => {
  it('passes the rows on as they come, and says what they rest on beside them', async () => {
    const e = Buffer.from('é');
    cli
      .server()
      .on(
        'GET /hosts',
        json(first),
        pieces('text/csv', ['id,name\r\n1,"two\nli', 'nes ""x"""\r\n2,caf', e.subarray(0, 1), e.subarray(1), '\r\n']),
      );
    const { code, out, err } = await cli.run(['hosts', 'list', '--output', 'csv', '-l', '@kernel~6.*']);
    expect([code, out]).toEqual([0, 'id,name\r\n1,"two\nlines ""x"""\r\n2,café\r\n']);
    expect(cli.server().requests.map(({ query, headers }) => [query, headers.accept])).toEqual([
      [{ selector: '@kernel~6.*', limit: '1' }, expect.stringContaining('application/json')],
      [{ selector: '@kernel~6.*' }, 'text/csv, application/problem+json'],
    ]);
    expect(err).toContain('The fleet is frozen by kim');
    expect(err).toContain('4 of 5 hosts fresh, 1 silent.');
    expect(err).toContain('1 more host may match');
    expect(err).toContain('2 rows: the whole list.\n');
  });

  it('what breaks off is no list: it says so, and ends with 5', async () => {
    cli.server().on('GET /hosts', json(first), pieces('application/x-ndjson', ['{"id":1}\n{"id":2}\n{"i'], false));
    const { code, err } = await cli.run(['hosts', 'list', '--output', 'ndjson']);
    expect(code).toBe(5);
    expect(err).toContain('The list is not whole: it ended after 2 rows');
    expect(err).not.toContain('the whole list');
  });

  it('meets what is wrong with the question before anything is written', async () => {
    cli.server().on('GET /hosts', problem(400, 'selector_invalid', 'not a selector', { offset: 0 }));
    const { code, out } = await cli.run(['hosts', 'list', '--output', 'csv', '-l', '=']);
    expect([code, out, cli.server().requests.length]).toEqual([2, '', 1]);
  });

  it('is told when the server knows no such thing', async () => {
    cli.server().on('GET /hosts', json(first));
    const { code, out, err } = await cli.run(['hosts', 'list', '--output', 'csv']);
    expect([code, out]).toEqual([5, '']);
    expect(err).toContain('it gives no lists as text/csv');
  });

  it('of the hosts of a kmod has the unknown ones too', async () => {
    cli.server().on('GET /kmods/e1000e/hosts', json(e1000eHosts()), pieces('text/csv', ['host.id\r\n1\r\n']));
    const { code, err } = await cli.run(['kmods', 'hosts', 'e1000e', '--output', 'csv']);
    expect([code, cli.server().requests[1]?.query]).toEqual([0, { presence: 'loaded,builtin,unknown' }]);
    expect(err).toContain('3 of 5 hosts run e1000e');
  });

  it('gives kmods and events', async () => {
    const events: EventList = { ...first, items: [], nextCursor: null, selectorUnknown: 0 };
    cli.server().on('GET /kmods', json({ ...first, items: [] }), pieces('application/x-ndjson', ['{"name":"a"}\n']));
    cli.server().on('GET /events', json(events), pieces('application/x-ndjson', ['{"id":1}\n']));
    expect((await cli.run(['kmods', 'list', '--output', 'ndjson', '--presence', 'any'])).out).toBe('{"name":"a"}\n');
    expect((await cli.run(['events', 'list', '--output', 'ndjson', '--since', '1h'])).out).toBe('{"id":1}\n');
    expect(cli.server().requests[3]?.query).toEqual({ since: '2026-11-22T13:03:30.000Z' });
  });

  it.each([
    [['hosts', 'list', '--output', 'xml']],
    [['hosts', 'list', '--output', 'csv', '--json', 'id']],
    [['hosts', 'list', '--output', 'csv', '--limit', '5']],
    [['hosts', 'list', '--output', 'csv', '--all-pages']],
    [['kmods', 'list', '--output', 'csv', '--host', 'web-1']],
    [['kmods', 'hosts', 'e1000e', '--output', 'csv', '--live']],
    [['events', 'list', '--output', 'csv', '--by-host']],
  ])('%j is refused before anything is sent', async (argv) => {
    expect((await cli.run(argv)).code).toBe(2);
    expect(cli.server().requests).toEqual([]);
  });
});
