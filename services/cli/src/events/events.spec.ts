import { describe, expect, it } from 'vitest';
import type { ChangedHostList, EventList, KmodEvent } from '@modfleet/server/api-types';
import { cut, events, json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { ACTION_ID, AS_OF, coverage, hostId } from '../testing/samples.ts';

const cli = useCli();

const event = (n: number, fields: Partial<KmodEvent> = {}): KmodEvent => ({
  id: n,
  at: `2026-11-22T14:0${n}:00.000Z`,
  host: { id: hostId(n), name: `web-${n}` },
  kmod: 'floppy',
  kind: 'loaded',
  actionId: null,
  source: 'uevent',
  detail: null,
  ...fields,
});
const changed = event(1, {
  kind: 'changed',
  kmod: 'e1000e',
  source: 'inventory',
  detail: { version: { from: '3.2.6-k', to: '3.8.4' }, taint: { from: '', to: 'OE' } },
});
const listed: EventList = {
  items: [event(2, { actionId: ACTION_ID, kind: 'unloaded' }), changed],
  nextCursor: null,
  selectorUnknown: 0,
  asOf: AS_OF,
  coverage: coverage(),
  freeze: null,
};

describe('events list', () => {
  it('shows who, what and by which action, and what it rests on', async () => {
    cli.server().on('GET /events', json(listed));
    const { out, err } = await cli.run(['events', 'list'], { columns: 160 });
    expect(out).toMatchInlineSnapshot(`
      "SEEN      HOST   KMOD    WHAT      BY ACTION                             SEEN BY    CHANGED
      14:02:00  web-2  floppy  unloaded  22222222-2222-4222-8222-222222222222  uevent
      14:01:00  web-1  e1000e  changed   none of ours                          inventory  version 3.2.6-k to 3.8.4, taint nothing to OE
      "
    `);
    expect(err).toBe(
      'As of 14:03:22: 4 of 5 hosts fresh, 1 silent.\nWhat changed on the others is listed as far as it was told; the rest comes when they report again.\n',
    );
  });

  it('asks for what was narrowed', async () => {
    cli.server().on('GET /events', json({ ...listed, items: [] }));
    const argv = [
      'events',
      'list',
      '-l',
      'env=prod',
      '--host',
      'web-1',
      '--kmod',
      'dm-mod',
      '--kind',
      'changed,loaded',
    ];
    const { err } = await cli.run([...argv, '--by', 'none', '--action', ACTION_ID, '--since', '24h', '--until', '1h']);
    expect(cli.server().requests[0]?.query).toEqual({
      selector: 'env=prod',
      host: 'web-1',
      kmod: 'dm_mod',
      kind: 'changed,loaded',
      by: 'none',
      actionId: ACTION_ID,
      since: '2026-11-21T14:03:30.000Z',
      until: '2026-11-22T13:03:30.000Z',
    });
    expect(err).toContain('No change is on record.');
  });

  it('says which hosts changed, one row each', async () => {
    const hosts: ChangedHostList = {
      ...listed,
      items: [
        {
          host: { id: hostId(1), name: 'web-1' },
          events: 24,
          loaded: 1,
          unloaded: 1,
          changed: 22,
          byActions: 2,
          kmods: ['e1000e', 'floppy'],
          kmodCount: 5,
          firstAt: '2026-11-22T13:00:00.000Z',
          lastAt: '2026-11-22T14:01:00.000Z',
        },
      ],
    };
    cli.server().on('GET /events/hosts', json(hosts));
    const { out } = await cli.run(['events', 'list', '--by-host', '--since', '24h'], { columns: 120 });
    expect(out).toMatchInlineSnapshot(`
      "HOST   LAST      LOADED  UNLOADED  CHANGED  BY ACTIONS  KMODS
      web-1  14:01:00  1       1         22       2           e1000e,floppy and 3 more
      "
    `);
    const piped = await cli.run(['events', 'list', '--by-host']);
    expect(piped.out).toBe(`web-1\t2026-11-22T14:01:00.000Z\t1\t1\t22\t2\te1000e,floppy\t${hostId(1)}\n`);
    const picked = await cli.run(['events', 'list', '--by-host', '--json', 'host,events']);
    expect(JSON.parse(picked.out)).toEqual([{ host: { id: hostId(1), name: 'web-1' }, events: 24 }]);
  });

  it('names a kmod like the one that nobody knows', async () => {
    cli.server().on('GET /events', problem(404, 'kmod_unknown', 'no host has reported it', { candidates: ['floppy'] }));
    const { code, err } = await cli.run(['events', 'list', '--kmod', 'flopy']);
    expect([code, err]).toEqual([3, expect.stringContaining('did you mean: modfleet events list --kmod floppy')]);
  });

  it.each([[['--kind', 'gone']], [['--by', 'me']], [['--action', '7']], [['--since', 'yesterday']], [['-l', '']]])(
    'refuses %j before anything is sent',
    async (words) => {
      expect((await cli.run(['events', 'list', ...words])).code).toBe(2);
      expect(cli.server().requests).toEqual([]);
    },
  );
});

describe('events watch', () => {
  const start = (id: string) => ({
    event: 'start',
    id,
    data: { selectorUnknown: 0, asOf: AS_OF, coverage: coverage() },
  });
  const told = (n: number, id: string, fields: Partial<KmodEvent> = {}) => ({
    event: 'kmod_event',
    id,
    data: event(n, fields),
  });
  const gone = problem(401, 'token_revoked', 'the token is revoked');

  it('prints each as it comes, and takes a broken stream up where it was', async () => {
    cli
      .server()
      .on(
        'GET /events/watch',
        events(start('a'), told(1, 'b')),
        cut,
        events(start('b'), told(2, 'c'), { event: 'position', id: 'd', data: { asOf: AS_OF } }),
        events(start('d'), told(3, 'e', { kind: 'unloaded', actionId: ACTION_ID })),
        gone,
      );
    const { code, out, err } = await cli.run(['events', 'watch', '-l', 'env=prod'], { columns: 100 });
    expect(out).toMatchInlineSnapshot(`
      "14:01:00  web-1  floppy loaded, by none of our actions
      14:02:00  web-2  floppy loaded, by none of our actions
      14:03:00  web-3  floppy unloaded, by action 22222222-2222-4222-8222-222222222222
      "
    `);
    const asked = cli.server().requests;
    expect(asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, 'b', 'b', 'd', 'e']);
    expect(asked.map(({ query }) => query['selector'])).toEqual(Array.from({ length: 5 }, () => 'env=prod'));
    expect(err).toContain(
      'Following 5 hosts, 4 of them fresh; nothing is heard of the other 1 until they report again.',
    );
    expect(err).toContain('Taken up again where it was: nothing was missed.');
    // Who may not read any more is told so, and does not try for ever.
    expect([code, err]).toEqual([4, expect.stringContaining('the token is revoked')]);
  });

  it('in a pipe prints the cells of events list, or an object a line', async () => {
    cli.server().on('GET /events/watch', events(start('a'), told(1, 'b')), gone);
    expect((await cli.run(['events', 'watch'])).out).toBe(
      `2026-11-22T14:01:00.000Z\tweb-1\tfloppy\tloaded\t\tuevent\t\t${hostId(1)}\n`,
    );
    cli.server().on('GET /events/watch', events(start('a'), told(1, 'b'), told(2, 'c')), gone);
    const { out } = await cli.run(['events', 'watch', '--json', 'id,kmod']);
    expect(out).toBe('{"id":1,"kmod":"floppy"}\n{"id":2,"kmod":"floppy"}\n');
  });

  it('gives up on a server that stays away, and says how to go on', async () => {
    cli.server().on('GET /events/watch', cut);
    const { code, err } = await cli.run(['events', 'watch']);
    expect([code, err]).toEqual([5, expect.stringContaining('modfleet events list --since 1h')]);
    expect(cli.server().requests.length).toBeGreaterThan(100);
  });

  it('ends with 130 on Ctrl-C', async () => {
    cli.server().on('GET /events/watch', (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n');
    });
    const { code } = await cli.run(['events', 'watch'], {}, (io) => setTimeout(() => io.interrupt(), 300));
    expect(code).toBe(130);
  });
});
