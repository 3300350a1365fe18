import { describe, expect, it } from 'vitest';
import { cut, events, json, problem } from '../../testing/fake-server.ts';
import { useCli } from '../../testing/run-cli.ts';
import { counts, paused, rollout, ROLLOUT_ID, rolloutTarget, succeeded } from '../../testing/rollout-samples.ts';
import { AS_OF } from '../../testing/samples.ts';

const cli = useCli();
const GET = `GET /rollouts/${ROLLOUT_ID}`;
const WATCH = `${GET}/watch`;
const event = (data: ReturnType<typeof rollout>) => ({ event: 'rollout', id: String(data.version), data });
const show = (...more: string[]) => cli.run(['rollouts', 'show', ROLLOUT_ID, ...more], { columns: 100 });

describe('rollouts list', () => {
  it('shows a table, and passes its filter', async () => {
    const { id, verb, kmod, selector, requestedBy, createdAt } = rollout();
    const item = { id, verb, kmod, selector, requestedBy, createdAt, endedAt: null, hosts: 40, ended: 6, asAsked: 5 };
    const items = [
      { ...item, state: 'awaiting_approval' },
      { ...item, state: 'paused', selector: '' },
    ];
    cli.server().on('GET /rollouts', json({ items, nextCursor: null, asOf: AS_OF, freeze: null }));
    const { out } = await cli.run(['rollouts', 'list', '--state', 'awaiting-approval'], { columns: 150 });
    expect(out).toMatchInlineSnapshot(`
      "ROLLOUT                               ASKED  STATE              VERB    KMOD    HOSTS  ENDED  AS ASKED  BY   WHICH HOSTS
      44444444-4444-4444-8444-444444444444  14:03  awaiting approval  unload  floppy  40     6      5         kim  env=prod
      44444444-4444-4444-8444-444444444444  14:03  paused             unload  floppy  40     6      5         kim  all
      "
    `);
    expect(cli.server().requests[0]?.query).toEqual({ state: 'awaiting_approval' });
    const wrong = await cli.run(['rollouts', 'list', '--state', 'pausd']);
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('did you mean paused?')]);
  });
});

describe('rollouts show', () => {
  it('shows how far it is', async () => {
    cli.server().on(GET, json(rollout()));
    expect((await show()).out).toMatchInlineSnapshot(`
      "Running, wave 1 of 2: unload floppy, 4 of 40 hosts as asked, can return on 2 of them; 2 under way,
      34 to come.

      rollout    44444444-4444-4444-8444-444444444444
      plan       33333333-3333-4333-8333-333333333333
      hosts      env=prod
      asked      14:03 by kim: CVE-2026-1
      began      14:03
      deadline   16:03:05
      waves      10%, 100%, after a canary
      at a time  2 hosts
      bake       5m
      budget     failed 2%, unreachable 5%, others 0, refused without limit; when exceeded: pause
      offline    waited for until the deadline
      order      random:17

      Waves:
        WAVE        STATE    HOSTS  AS ASKED  UNDER WAY  TO COME
        0 (canary)  ended    2      2
        1           running  4      2         2
        2           to come  34     0                    34

      Next:
        follow it:  modfleet rollouts watch 44444444-4444-4444-8444-444444444444
        hold it:    modfleet rollouts pause 44444444-4444-4444-8444-444444444444
      "
    `);
  });

  it('says which budget has paused it, what failed, and how to go on', async () => {
    cli.server().on(GET, json(paused()));
    expect((await show()).out).toMatchInlineSnapshot(`
      "Paused, wave 1 of 2: unload floppy, 5 of 40 hosts as asked, can return on 2 of them; 1 failed, 34 to
      come.
      Paused; floppy is unloaded on 5 of 40 hosts. Nothing more is sent. Over its budget: 1 failed in all,
      budget 0.

      rollout    44444444-4444-4444-8444-444444444444
      plan       33333333-3333-4333-8333-333333333333
      hosts      env=prod
      asked      14:03 by kim: CVE-2026-1
      began      14:03
      deadline   16:03:05
      waves      10%, 100%, after a canary
      at a time  2 hosts
      bake       5m
      budget     failed 2%, unreachable 5%, others 0, refused without limit; when exceeded: pause
      offline    waited for until the deadline
      order      random:17

      Waves:
        WAVE        STATE    HOSTS  AS ASKED  NOT SO  TO COME
        0 (canary)  ended    2      2
        1           running  4      3         1
        2           to come  34     0                 34

      Not as asked, by cause:
        failed (rejected_by_kernel)  1 host: rmmod ended with EBUSY
          on web-7

      Budget:
        failed: 1, at most 0; exceeded

      Next:
        which hosts: failed:                       modfleet rollouts show 44444444-4444-4444-8444-444444444444 --outcome failed
        go on, with the failures so far accepted:  modfleet rollouts resume 44444444-4444-4444-8444-444444444444
        put back what was changed:                 modfleet rollouts rollback 44444444-4444-4444-8444-444444444444
        end it as it is:                           modfleet rollouts abort 44444444-4444-4444-8444-444444444444
      "
    `);
  });

  it('never says more than was seen', async () => {
    const headline = async (fields: Parameters<typeof rollout>[0]) => {
      cli.server().on(GET, json(succeeded(fields)));
      return (await cli.run(['rollouts', 'show', ROLLOUT_ID], { columns: 200 })).out.split('\n')[0];
    };
    expect(await headline({})).toBe(
      'Unloaded, can return: floppy on 40 of 40 hosts (on 33 of them, as far as they told).',
    );
    expect(await headline({ canReturn: 0 })).toBe(
      'Unloaded: floppy on 40 of 40 hosts. No host told of a way back; by hand one can always load it.',
    );
    expect(
      await headline({ verb: 'load', canReturn: 0, counts: counts({ ended: { succeeded: 38, unreachable: 2 } }) }),
    ).toBe('Loaded: floppy on 38 of 40 hosts; 2 unreachable.');
    expect(await headline({ counts: counts({ ended: { succeeded: 40 }, unhealthy: 1 }) })).toContain(
      '1 not healthy afterwards',
    );
    const rollback = { total: 5, pending: 0, dispatched: 0, restored: 3, failed: 1, unknown: 1 };
    expect(await headline({ state: 'rolled_back', rollback })).toBe(
      'Rolled back: unload floppy, 3 of 5 hosts put back; 1 changed and not put back and of 1 nobody can say whether they changed, and nothing is done to them.',
    );
    expect(await headline({ state: 'awaiting_approval', counts: counts({ pending: 40 }) })).toBe(
      'Awaiting approval: unload floppy on 40 hosts. Nothing is sent before.',
    );
    for (const state of ['succeeded', 'failed', 'aborted', 'rolled_back'] as const)
      expect(await headline({ state, rollback })).not.toMatch(/mitigated|safe/i);
  });

  it('lists its hosts', async () => {
    const items = [
      rolloutTarget(7),
      rolloutTarget(8, { outcome: 'unconfirmed', resolvedOutcome: 'succeeded', code: '', message: '', attempts: 2 }),
      rolloutTarget(9, { state: 'waiting', wait: 'unreachable', outcome: null, code: '', message: '', late: true }),
      rolloutTarget(10, {
        outcome: 'succeeded',
        code: '',
        message: '',
        health: [{ what: 'silent', detail: 'not connected for 30 s' }],
        rollback: { state: 'ended', outcome: 'succeeded', message: '', action: null },
      }),
    ];
    cli.server().on(`${GET}/targets`, json({ items, nextCursor: null, asOf: AS_OF, freeze: null }));
    expect((await cli.run(['rollouts', 'show', ROLLOUT_ID, '--targets'], { columns: 140 })).out).toMatchInlineSnapshot(`
      "HOST    WAVE  STATE                          CODE                MESSAGE                 HEALTH                          PUT BACK   TRIES
      web-7   1     failed                         rejected_by_kernel  rmmod ended with EBUSY
      web-8   1     succeeded (first unconfirmed)                                                                                         2
      web-9   1     waiting: not connected, late
      web-10  1     succeeded                                                                  silent: not connected for 30 s  succeeded
      "
    `);
    await show('--state', 'ended', '--outcome', 'not-run', '--wave', '1', '--unhealthy');
    expect(cli.server().requests.at(-1)?.query).toEqual({
      state: 'ended',
      outcome: 'not_run',
      wave: '1',
      unhealthy: 'true',
    });
    expect((await show('--wave', 'one')).code).toBe(2);
    expect((await show('--limit', '2')).err).toContain('add --targets');
  });

  it('shows what happened, and when', async () => {
    const items = [{ at: '2026-11-22T14:03:05.000Z', text: 'Created by kim.' }];
    cli.server().on(`${GET}/notes`, json({ items, asOf: AS_OF, freeze: null }));
    expect((await show('--notes')).out).toBe('AT        WHAT\n14:03:05  Created by kim.\n');
    expect((await show('--notes', '--targets')).code).toBe(2);
  });
});

describe('rollouts watch', () => {
  const watch = (...more: string[]) => cli.run(['rollouts', 'watch', ROLLOUT_ID, ...more]);

  it('tells that the fleet is frozen, and that it goes on', async () => {
    const freeze = { by: 'lee', reason: 'look first', at: AS_OF };
    cli
      .server()
      .on(
        WATCH,
        events(event(rollout()), event(rollout({ freeze })), event(rollout({ freeze: null })), event(succeeded())),
      );
    const { err } = await watch();
    const lines = err.split('\n').filter((line) => /frozen|thawed/.test(line));
    expect(lines).toEqual([
      '14:03:30  The fleet is frozen by lee: look first. Nothing is sent until it is thawed: modfleet thaw',
      '14:03:30  the fleet is thawed: it goes on',
    ]);
  });

  it('tells line by line in a pipe, and survives a lost connection', async () => {
    cli
      .server()
      .on(
        WATCH,
        events(event(rollout())),
        cut,
        events(event(paused())),
        events(event(rollout({ version: 10 })), event(succeeded())),
      );
    cli.server().on(GET, json(rollout()));
    const { code, out, err } = await watch('--exit-status');
    expect(code).toBe(0);
    expect(err).toMatchInlineSnapshot(`
      "14:03:30  Running, wave 1 of 2: unload floppy, 4 of 40 hosts as asked, can return on 2 of them; 2 under way, 34 to come.
      14:03:30  wave 0 (canary) of 2 ended: 2 of 2 hosts as asked
      14:03:30  wave 1 of 2 running: 4 hosts
      14:03:30  Paused, wave 1 of 2: unload floppy, 5 of 40 hosts as asked, can return on 2 of them; 1 failed, 34 to come. Paused; floppy is unloaded on 5 of 40 hosts. Nothing more is sent. Over its budget: 1 failed in all, budget 0.
      14:03:30  the budget is exceeded: failed 1, at most 0 in the whole rollout
      14:03:30  failed (rejected_by_kernel) on 1 host: rmmod ended with EBUSY (web-7)
      14:03:30    which hosts: failed: modfleet rollouts show 44444444-4444-4444-8444-444444444444 --outcome failed
      14:03:30    go on, with the failures so far accepted: modfleet rollouts resume 44444444-4444-4444-8444-444444444444
      14:03:30    put back what was changed: modfleet rollouts rollback 44444444-4444-4444-8444-444444444444
      14:03:30    end it as it is: modfleet rollouts abort 44444444-4444-4444-8444-444444444444
      14:03:30  Running, wave 1 of 2: unload floppy, 4 of 40 hosts as asked, can return on 2 of them; 2 under way, 34 to come.
      14:03:30  Unloaded, can return: floppy on 40 of 40 hosts (on 33 of them, as far as they told).
      14:03:30  wave 1 of 2 ended: 4 of 4 hosts as asked
      14:03:30  wave 2 of 2 ended: 34 of 34 hosts as asked
      "
    `);
    expect(out.split('\t').slice(2, 8)).toEqual(['succeeded', 'unload', 'floppy', '40', '40', '40']);
    const watches = cli.server().requests.filter(({ path }) => path.endsWith('/watch'));
    expect(watches.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '7', '7', '9']);
  });

  it('draws how it stands anew on a terminal', async () => {
    cli.server().on(WATCH, events(event(rollout()), event(paused()), event(succeeded())));
    const { err, out } = await cli.run(['rollouts', 'watch', ROLLOUT_ID], { columns: 90 });
    const drawn = err.split(/\u001b\[(?=\d+A)/);
    expect(drawn.map((part) => part.replace(/^\d+A\u001b\[0J/, ''))).toMatchInlineSnapshot(`
      [
        "Running, wave 1 of 2: unload floppy, 4 of 40 hosts as asked, can return on 2 of them; 2
      under way, 34 to come.
        wave 0 (canary)  [####################] 2 of 2 as asked  ended
        wave 1           [##########..........] 2 of 4 as asked; 2 under way  running
        wave 2           [....................] 0 of 34 as asked  to come
      ",
        "Paused, wave 1 of 2: unload floppy, 5 of 40 hosts as asked, can return on 2 of them; 1
      failed, 34 to come.
      Paused; floppy is unloaded on 5 of 40 hosts. Nothing more is sent. Over its budget: 1
      failed in all, budget 0.
      Why: the budget is exceeded: failed 1, at most 0 in the whole rollout.
        wave 0 (canary)  [####################] 2 of 2 as asked  ended
        wave 1           [####################] 3 of 4 as asked; 1 failed  running
        wave 2           [....................] 0 of 34 as asked  to come
        failed (rejected_by_kernel)  1 host: web-7
        which hosts: failed:
          modfleet rollouts show 44444444-4444-4444-8444-444444444444 --outcome failed
        go on, with the failures so far accepted:
          modfleet rollouts resume 44444444-4444-4444-8444-444444444444
        put back what was changed:
          modfleet rollouts rollback 44444444-4444-4444-8444-444444444444
        end it as it is:
          modfleet rollouts abort 44444444-4444-4444-8444-444444444444
      ",
        "Unloaded, can return: floppy on 40 of 40 hosts (on 33 of them, as far as they told).
        wave 0 (canary)  [####################] 2 of 2 as asked  ended
        wave 1           [####################] 4 of 4 as asked  ended
        wave 2           [####################] 34 of 34 as asked  ended
      ",
        "",
      ]
    `);
    expect(out).toContain('Unloaded, can return');
  });

  it.each([200, 90, 50])('goes up by as many rows as it has drawn: %i columns', async (columns) => {
    cli.server().on(WATCH, events(event(rollout()), event(paused()), event(succeeded())));
    const { err } = await cli.run(['rollouts', 'watch', ROLLOUT_ID], { columns });
    const drawn = err.split(/\u001b\[(?=\d+A)/);
    const rows = drawn.map((part) =>
      part
        .replace(/^\d+A\u001b\[0J/, '')
        .split('\n')
        .slice(0, -1)
        .reduce((sum, line) => sum + Math.ceil(line.length / columns), 0),
    );
    expect(drawn.slice(1).map((part) => Number.parseInt(part, 10))).toEqual(rows.slice(0, -1));
  });

  it.each([
    ['every host as asked', succeeded(), 0],
    ['within its budget', succeeded({ counts: counts({ ended: { succeeded: 39, failed: 1 } }) }), 1],
    ['refused by some', succeeded({ counts: counts({ ended: { succeeded: 39, refused: 1 } }) }), 1],
    ['not known of some', succeeded({ counts: counts({ ended: { succeeded: 39, unreachable: 1 } }) }), 1],
    ['not healthy', succeeded({ counts: counts({ ended: { succeeded: 40 }, unhealthy: 1 }) }), 1],
    ['failed', succeeded({ state: 'failed' }), 1],
    ['aborted', succeeded({ state: 'aborted' }), 1],
    ['rolled back', succeeded({ state: 'rolled_back' }), 1],
  ])('--exit-status of one that ended: %s', async (_how, ended, exit) => {
    cli.server().on(WATCH, events(event(ended)));
    expect((await watch('--exit-status')).code).toBe(exit);
    expect((await watch()).code).toBe(0);
  });

  it.each([
    [rollout(), 7],
    [paused(), 6],
    [rollout({ state: 'awaiting_approval' }), 6],
    [succeeded(), 0],
  ])('--timeout ends it, and says how it stands then', async (now, exit) => {
    cli.server().on(WATCH, (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n');
    });
    cli.server().on(GET, json(now));
    const { code, out } = await watch('--exit-status', '--timeout', '30m');
    expect([code, out.split('\t')[2]]).toEqual([exit, now.state]);
  });

  it('gives up without saying how it ends', async () => {
    cli.server().on(WATCH, problem(503, 'database_unavailable', 'the database does not answer'));
    const { code, out, err } = await watch('--exit-status');
    expect([code, out]).toEqual([5, '']);
    expect(err).toContain(`The rollout goes on by itself\n  follow it again: modfleet rollouts watch ${ROLLOUT_ID}`);
  });

  it('ends with 130 on Ctrl-C, and says that the rollout goes on', async () => {
    const { code, err } = await cli.run(['rollouts', 'watch', ROLLOUT_ID], {}, (io) => {
      cli.server().on(WATCH, (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n');
        io.interrupt();
      });
    });
    expect([code, err]).toEqual([130, expect.stringContaining('The rollout goes on by itself')]);
  });

  it('of a rollout that is not there ends at once', async () => {
    cli.server().on(WATCH, problem(404, 'rollout_not_found', 'there is no such rollout'));
    const { code, err } = await watch();
    expect([code, err]).toEqual([3, expect.stringContaining('modfleet rollouts list')]);
  });
});
