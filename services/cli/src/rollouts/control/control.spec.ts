import { describe, expect, it } from 'vitest';
import { json, problem } from '../../testing/fake-server.ts';
import { useCli } from '../../testing/run-cli.ts';
import {
  controlled,
  counts,
  HASH,
  paused,
  plan,
  PLAN_ID,
  rollout,
  ROLLOUT_ID,
  wave,
} from '../../testing/rollout-samples.ts';

const cli = useCli();
const AT = `/rollouts/${ROLLOUT_ID}`;

describe.each([
  ['pause', 'pause', 'nothing more is sent'],
  ['resume', 'resume', 'It goes on'],
  ['promote', 'promote', 'the next wave begins'],
  ['abort', 'abort', 'nothing is put back'],
  ['rollback', 'roll-back', 'are put back'],
])('rollouts %s', (verb, route, said) => {
  it('says what is done, and what is only asked for', async () => {
    cli.server().on(`POST ${AT}/${route}`, json(controlled(true, paused()), 202));
    const done = await cli.run(['rollouts', verb, ROLLOUT_ID, '--reason', 'looking'], { columns: 100 });
    expect([done.code, done.err]).toEqual([0, expect.stringContaining(said)]);
    expect(done.out).toContain('Paused, wave 1 of 2');
    expect(cli.server().requests[0]?.body).toEqual({ reason: 'looking' });
    cli.server().on(`POST ${AT}/${route}`, json(controlled(false, rollout()), 202));
    const asked = await cli.run(['rollouts', verb, ROLLOUT_ID, '--json', 'taken,state']);
    expect(asked.err).toBe(
      `It is asked for, and not carried out yet. Follow it: modfleet rollouts watch ${ROLLOUT_ID}\n`,
    );
    expect(JSON.parse(asked.out)).toEqual({ taken: false, state: 'running' });
    expect(cli.server().requests[1]?.body).toEqual({});
  });

  it('that is not possible says how the rollout stands', async () => {
    cli.server().on(`POST ${AT}/${route}`, problem(409, 'rollout_state', 'the rollout has ended'));
    const { code, err } = await cli.run(['rollouts', verb, ROLLOUT_ID]);
    expect([code, err]).toEqual([6, expect.stringContaining(`modfleet rollouts show ${ROLLOUT_ID}`)]);
  });
});

describe('rollouts approve', () => {
  const waiting = rollout({
    state: 'awaiting_approval',
    startedAt: null,
    wave: 0,
    waves: [
      wave(0, { canary: true, counts: counts({ total: 2, pending: 2 }) }),
      wave(1, { counts: counts({ total: 38, pending: 38 }) }),
    ],
    counts: counts({ pending: 40 }),
    canReturn: 0,
  });
  const APPROVE = ['rollouts', 'approve', ROLLOUT_ID];
  const serve = () => {
    cli.server().on(`GET ${AT}`, json(waiting));
    cli.server().on(`GET /rollout-plans/${PLAN_ID}`, json(plan()));
    cli
      .server()
      .on(
        `POST ${AT}/approve`,
        json(controlled(true, rollout({ approval: { by: 'lee', at: '2026-11-22T14:03:29.000Z' } })), 202),
      );
  };

  it('shows what would be done, asks, and sends the hash of what it has shown', async () => {
    serve();
    const { code, err } = await cli.run(APPROVE, { columns: 100, typed: ['y'] });
    expect(code).toBe(0);
    expect(err).toMatchInlineSnapshot(`
      "Unload floppy on 40 hosts: 31 would change, 5 are already so, 3 refuse and 1 cannot say.

      rollout    44444444-4444-4444-8444-444444444444
      plan       33333333-3333-4333-8333-333333333333
      hosts      env=prod
      asked      14:03 by kim: CVE-2026-1
      deadline   16:03:05
      waves      10%, 100%, after a canary
      at a time  2 hosts
      bake       5m
      budget     failed 2%, unreachable 5%, others 0, refused without limit; when exceeded: pause
      offline    waited for until the deadline
      order      random:17
      hash       a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1

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

      Waves:
        0 (canary): 2 hosts
        1: 38 hosts, 40 in all

      Approve: unload floppy on 40 hosts? [y/N] Approved: it begins.
      "
    `);
    expect(cli.server().requests.at(-1)?.body).toEqual({ hash: HASH });
  });

  it('takes a no for a no', async () => {
    serve();
    const { code } = await cli.run(APPROVE, { columns: 100, typed: [''] });
    expect([code, cli.server().requests.map(({ method }) => method)]).toEqual([1, ['GET', 'GET']]);
  });

  it('wants a program to say so, and which one it has looked at', async () => {
    serve();
    const unsaid = await cli.run(APPROVE);
    expect([unsaid.code, unsaid.err]).toEqual([2, expect.stringContaining('--yes')]);
    const other = await cli.run([...APPROVE, '--yes', '--hash', 'b2'.repeat(32)]);
    expect([other.code, other.err]).toEqual([6, expect.stringContaining(`its hash now: ${HASH}`)]);
    const same = await cli.run([...APPROVE, '--yes', '--hash', HASH.toUpperCase(), '--reason', 'looked']);
    expect([same.code, cli.server().requests.at(-1)?.body]).toEqual([0, { hash: HASH, reason: 'looked' }]);
    expect((await cli.run([...APPROVE, '--hash', 'abc'])).code).toBe(2);
  });

  it('is refused of what one has asked for oneself, and of what has changed', async () => {
    serve();
    cli.server().on(`POST ${AT}/approve`, problem(403, 'approval_own', 'you have asked for it'));
    const own = await cli.run([...APPROVE, '--yes']);
    expect([own.code, own.err]).toEqual([4, expect.stringContaining('somebody else has to look at it')]);
    cli
      .server()
      .on(
        `POST ${AT}/approve`,
        problem(409, 'rollout_changed', 'look at it again (GET /api/v1/rollouts/ID) and approve what is there'),
      );
    const changed = await cli.run([...APPROVE, '--yes']);
    expect([changed.code, changed.err.split('\n').at(-3)]).toEqual([
      6,
      'modfleet: look at it again and approve what is there',
    ]);
    cli.server().on(`GET ${AT}`, json(rollout()));
    const begun = await cli.run([...APPROVE, '--yes']);
    expect([begun.code, begun.err]).toEqual([6, expect.stringContaining('awaits no approval')]);
  });
});

describe('rollouts retry', () => {
  it('makes a new rollout of those hosts, with options of its own', async () => {
    const child = rollout({ parent: ROLLOUT_ID, id: '55555555-5555-4555-8555-555555555555' });
    cli.server().on(`POST ${AT}/retry`, json(child, 201));
    const { code, err } = await cli.run(['rollouts', 'retry', ROLLOUT_ID, '--unreached', '--deadline', '12h']);
    expect([code, err]).toEqual([0, expect.stringContaining('Rollout 55555555-5555-4555-8555-555555555555: ')]);
    expect(cli.server().requests[0]?.body).toEqual({ what: 'unreached', deadline: 43_200 });
    for (const which of [[], ['--failed', '--unreached']])
      expect((await cli.run(['rollouts', 'retry', ROLLOUT_ID, ...which])).code).toBe(2);
  });
});
