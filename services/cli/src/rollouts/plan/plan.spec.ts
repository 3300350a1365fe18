import { describe, expect, it } from 'vitest';
import { cut, json, problem } from '../../testing/fake-server.ts';
import { useCli } from '../../testing/run-cli.ts';
import { asking, plan, PLAN_ID, planTarget } from '../../testing/rollout-samples.ts';
import { AS_OF } from '../../testing/samples.ts';

const cli = useCli();
const PLAN = ['rollouts', 'plan', 'unload', 'floppy', '-l', 'env=prod'];
const GET = `GET /rollout-plans/${PLAN_ID}`;

describe('rollouts plan', () => {
  it('waits until the hosts have answered, and shows all of it in one view', async () => {
    cli.server().on('POST /rollout-plans', json(asking(), 202));
    cli.server().on(GET, json(asking(12)), json(plan()));
    const { code, out, err } = await cli.run([...PLAN, '--reason', 'CVE-2026-1'], { columns: 100 });
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "Unload floppy on 40 hosts: 31 would change, 5 are already so, 3 refuse and 1 cannot say.

      plan        33333333-3333-4333-8333-333333333333
      hosts       env=prod
      asked       14:03 by kim: CVE-2026-1
      good until  23 Nov 14:03:00

      Would change, 31 hosts:
        class 0  28 hosts: web-1, web-2, web-3 and 25 more
          1. rmmod floppy  (asked for)
          could bring it back: alias pnp:dPNP0700*
        class 1  3 hosts: db-1, db-2 and db-3
          1. rmmod fdtool  (it uses floppy)
          2. rmmod floppy  (asked for)
          with it goes: fdtool
          whether anything could bring it back is not known: /etc/modprobe.d/site.conf cannot be read

      Already so, 5 hosts:
        class 2  5 hosts: web-41, web-42 and 3 more

      Refuse, 3 hosts:
        in_use  2 hosts: floppy has 1 reference; a rollout tries again until its deadline
          mount: /dev/fd0 on /mnt
          on web-34 and web-35
        denied_by_host_policy  1 host: mode is observe
          file: /etc/modfleet/agent.yaml
          on web-36

      Cannot say, 1 host; a rollout does to them only what is in a class above, or nothing:
        no_answer  1 host: it was not connected (web-40)

      2 more hosts may match: a fact that the selector asks for is not known now. They are not meant, and
      nothing is said of them.

      1 host matches the selector now and did not when this was made; not meant: web-50

      Next:
        each host that refuses:             modfleet rollouts show-plan 33333333-3333-4333-8333-333333333333 --standing refused
        each host that cannot say:          modfleet rollouts show-plan 33333333-3333-4333-8333-333333333333 --standing unknown
        in which waves, without beginning:  modfleet rollouts create 33333333-3333-4333-8333-333333333333 --dry-run
        go on:                              modfleet rollouts create 33333333-3333-4333-8333-333333333333
      "
    `);
    expect(err.replaceAll('\u001b[K', '<clear>').replaceAll('\r', '<back>')).toMatchInlineSnapshot(`
      "Plan 33333333-3333-4333-8333-333333333333: asking 40 hosts what would be done: unload floppy. Nothing is touched; answers count until 14:03:30.
      <back>0 of 40 hosts answered <clear><back>12 of 40 hosts answered <clear><back><clear>"
    `);
    expect(cli.server().requests[0]?.body).toEqual({
      verb: 'unload',
      kmod: 'floppy',
      selector: 'env=prod',
      reason: 'CVE-2026-1',
    });
    expect(cli.server().requests[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('in a pipe draws nothing and cuts nothing', async () => {
    cli.server().on('POST /rollout-plans', json(asking(), 202));
    cli.server().on(GET, json(plan()));
    const { out, err } = await cli.run(PLAN);
    expect(err).toBe(
      `Plan ${PLAN_ID}: asking 40 hosts what would be done: unload floppy. Nothing is touched; answers count until 14:03:30.\n39 of 40 hosts answered.\n`,
    );
    expect(out.trimEnd().split('\n').at(-1)).toMatch(new RegExp(`^  go on: +modfleet rollouts create ${PLAN_ID}$`));
  });

  it('sends what was typed, in the words of the API', async () => {
    cli.server().on('POST /rollout-plans', json(plan(), 202));
    for (const [words, body] of [
      [
        ['set-parameters', 'nf-conntrack', '--all', '--param', 'hashsize=65536'],
        { verb: 'set_parameters', kmod: 'nf_conntrack', all: true, parameters: { hashsize: '65536' } },
      ],
      [
        [
          'reload',
          'e1000e',
          '--host',
          'web-1',
          '--host',
          'web-2',
          '--host',
          'web-1',
          '--confirm-window',
          '--override',
          'route',
        ],
        { verb: 'reload', kmod: 'e1000e', hosts: ['web-1', 'web-2'], confirmWindow: 120, overrides: ['route'] },
      ],
      [
        ['ensure_unloaded', 'floppy', '--all', '--confirm-window', '90', '--wait', '2m'],
        { verb: 'ensure_unloaded', kmod: 'floppy', all: true, confirmWindow: 90, answerWithin: 120 },
      ],
    ] as const) {
      expect((await cli.run(['rollouts', 'plan', ...words])).code).toBe(0);
      expect(cli.server().requests.at(-1)?.body).toEqual(body);
    }
  });

  it.each([
    [['unload', 'floppy'], 'say which hosts are meant', '-l SELECTOR, --host HOST or --all'],
    [['unload', 'floppy', '--all', '-l', 'env=prod'], 'named in more than one way', '-l SELECTOR'],
    [['unload', 'floppy', '--all', '--param', 'a=1'], 'unload takes no parameters', '--param'],
    [['set-parameters', 'floppy', '--all'], 'needs at least one parameter', '--param'],
    [['reload', 'floppy', '--all', '--override', 'route'], '--override needs --confirm-window', ''],
    [['unload', 'floppy', '--all', '--wait', '1h'], '--wait takes a time from 1s to 10m', ''],
    [['unload', 'floppy', '--all', '--reason', ' '], '--reason is empty', ''],
    [['block', 'floppy', '--all'], 'VERB takes one of load, unload, reload', ''],
  ])('%j is refused before anything is sent', async (words, message, hint) => {
    const { code, err } = await cli.run(['rollouts', 'plan', ...words]);
    expect([code, err.split('\n')[0]]).toEqual([2, expect.stringContaining(message)]);
    expect(err).toContain(hint);
    expect(cli.server().requests).toEqual([]);
  });

  it('survives a server that is away for a moment', async () => {
    cli.server().on('POST /rollout-plans', json(asking(), 202));
    cli.server().on(GET, cut, problem(503, 'database_unavailable', 'the database does not answer'), json(plan()));
    expect((await cli.run(PLAN)).code).toBe(0);
  });

  it('gives up on a plan that does not become ready, and says where it is', async () => {
    cli.server().on('POST /rollout-plans', json(asking(), 202));
    cli.server().on(GET, json(asking(39)));
    const { code, out, err } = await cli.run(PLAN);
    expect([code, out]).toEqual([7, '']);
    expect(err).toContain('did not become ready in its time. The plan is made all the same');
    expect(err).toContain(`modfleet rollouts show-plan ${PLAN_ID}`);
  });

  it('offers nothing to begin where nothing could be done', async () => {
    const none = { total: 5, wouldChange: 0, unchanged: 5, refused: 0, unknown: 0, asked: 0 };
    const already = plan().classes.slice(2);
    const answer = plan({
      counts: none,
      classes: already,
      refusals: [],
      unknowns: [],
      newMatches: [],
      unknownInSelector: 0,
    });
    cli.server().on('POST /rollout-plans', json(answer, 202));
    const { out } = await cli.run(PLAN, { columns: 100 });
    expect(out).toContain('Unload floppy on 5 hosts: 5 are already so.');
    expect(out).not.toContain('rollouts create');
  });

  it('names the rollout that is in its way, and the command to see it', async () => {
    const detail =
      'rollout R has not ended and wants the opposite: load floppy; abort it (POST /api/v1/rollouts/R/abort)';
    cli.server().on('POST /rollout-plans', problem(409, 'rollout_conflict', detail, { candidates: [PLAN_ID] }));
    const { code, err } = await cli.run(PLAN);
    expect([code, err.split('\n')[0]]).toEqual([
      6,
      'modfleet: rollout R has not ended and wants the opposite: load floppy; abort it',
    ]);
    expect(err).toContain(`modfleet rollouts show ${PLAN_ID}`);
  });

  it('of no host at all says where to look', async () => {
    cli.server().on('POST /rollout-plans', problem(409, 'plan_empty', 'no host matches env=prod'));
    const { code, err } = await cli.run(PLAN);
    expect([code, err]).toEqual([6, expect.stringContaining('modfleet hosts list -l env=prod')]);
  });

  it('says what a selector has wrong, with a caret', async () => {
    cli.server().on('POST /rollout-plans', problem(400, 'selector_invalid', 'a comma is missing', { offset: 3 }));
    const { code, err } = await cli.run(['rollouts', 'plan', 'unload', 'floppy', '-l', 'env prod']);
    expect([code, err.split('\n')[2]]).toEqual([2, '     ^']);
  });
});

describe('rollouts show-plan', () => {
  it('shows the plan again, and as JSON', async () => {
    cli.server().on(GET, json(plan()));
    expect((await cli.run(['rollouts', 'show-plan', PLAN_ID], { columns: 100 })).out).toContain('28 hosts: web-1');
    const { out } = await cli.run(['rollouts', 'show-plan', PLAN_ID, '--json', 'id,counts']);
    expect(JSON.parse(out)).toEqual({ id: PLAN_ID, counts: plan().counts });
  });

  it('says of a plan that still asks that it is not all', async () => {
    cli.server().on(GET, json(asking(12)));
    const { out } = await cli.run(['rollouts', 'show-plan', PLAN_ID], { columns: 100 });
    expect(out).toContain(
      '12 would change and 28 have not answered yet.\nIt is still asking: what is below is not all.',
    );
    expect(out).not.toContain('rollouts create');
  });

  it('of one that is too old offers to ask anew, and no rollout', async () => {
    cli
      .server()
      .on(GET, json(plan({ expiresAt: '2026-11-22T14:03:00.000Z', confirmWindow: 120, overrides: ['route'] })));
    const { out } = await cli.run(['rollouts', 'show-plan', PLAN_ID], { columns: 100 });
    expect(out.trimEnd().split('\n').at(-1)).toBe(
      '  it is too old; ask the hosts anew:  modfleet rollouts plan unload floppy -l env=prod --confirm-window 120 --override route --reason CVE-2026-1',
    );
  });

  it('lists its hosts, with what narrows them', async () => {
    const items = [
      planTarget(34),
      planTarget(1, { standing: 'would_change', code: '', message: '', evidence: [], class: 0 }),
    ];
    cli.server().on(`${GET}/targets`, json({ items, nextCursor: null, asOf: AS_OF, freeze: null }));
    const { out } = await cli.run(['rollouts', 'show-plan', PLAN_ID, '--targets'], { columns: 130 });
    expect(out).toMatchInlineSnapshot(`
      "HOST    STANDING      CLASS  CODE    MESSAGE                 EVIDENCE                 KERNEL          HARDWARE
      web-34  refuses              in_use  floppy has 1 reference  mount: /dev/fd0 on /mnt  6.1.0-56-amd64  vm
      web-1   would change  0                                                               6.1.0-56-amd64  vm
      "
    `);
    const narrowed = ['--standing', 'would-change', '--code', 'in_use', '--class', '0'];
    await cli.run(['rollouts', 'show-plan', PLAN_ID, ...narrowed]);
    expect(cli.server().requests.at(-1)?.query).toEqual({ standing: 'would_change', code: 'in_use', class: '0' });
    expect((await cli.run(['rollouts', 'show-plan', PLAN_ID, '--limit', '5'])).err).toContain('add --targets');
    expect((await cli.run(['rollouts', 'show-plan', PLAN_ID, '--standing', 'fine'])).code).toBe(2);
  });

  it('of a plan that is not there ends with 3 and says where plans are', async () => {
    cli.server().on(GET, problem(404, 'plan_not_found', 'there is no such plan'));
    const { code, err } = await cli.run(['rollouts', 'show-plan', PLAN_ID]);
    expect([code, err]).toEqual([3, expect.stringContaining('modfleet rollouts list-plans')]);
  });
});

describe('rollouts list-plans', () => {
  it('shows a table', async () => {
    const { id, state, verb, kmod, selector, requestedBy, createdAt, expiresAt } = plan();
    const item = { id, state, verb, kmod, selector, requestedBy, createdAt, expiresAt, hosts: 40 };
    const items = [item, { ...item, selector: '' }, { ...item, selector: null }];
    cli.server().on('GET /rollout-plans', json({ items, nextCursor: null, asOf: AS_OF, freeze: null }));
    const { out } = await cli.run(['rollouts', 'list-plans'], { columns: 140 });
    expect(out).toMatchInlineSnapshot(`
      "PLAN                                  ASKED  STATE  VERB    KMOD    HOSTS  GOOD UNTIL    BY   WHICH HOSTS
      33333333-3333-4333-8333-333333333333  14:03  ready  unload  floppy  40     23 Nov 14:03  kim  env=prod
      33333333-3333-4333-8333-333333333333  14:03  ready  unload  floppy  40     23 Nov 14:03  kim  all
      33333333-3333-4333-8333-333333333333  14:03  ready  unload  floppy  40     23 Nov 14:03  kim  named one by one
      "
    `);
  });
});
