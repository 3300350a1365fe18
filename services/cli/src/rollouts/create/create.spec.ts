import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { events, json, problem } from '../../testing/fake-server.ts';
import { useCli } from '../../testing/run-cli.ts';
import { plan, PLAN_ID, planTarget, rollout, ROLLOUT_ID, succeeded } from '../../testing/rollout-samples.ts';
import { AS_OF } from '../../testing/samples.ts';

const cli = useCli();
const CREATE = ['rollouts', 'create', PLAN_ID];
const WATCH = `GET /rollouts/${ROLLOUT_ID}/watch`;
const GET_PLAN = `GET /rollout-plans/${PLAN_ID}`;

/** A file of this test. */
function file(...lines: string[]): string {
  const path = join(cli.folder(), 'rollout.yaml');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

describe('rollouts create', () => {
  it('sends what was typed, and nothing that was not', async () => {
    cli.server().on('POST /rollouts', json(rollout(), 201));
    const bare = await cli.run(CREATE);
    expect(bare.code).toBe(0);
    expect(cli.server().requests[0]?.body).toEqual({ plan: PLAN_ID });
    expect(bare.err).toBe(`Rollout ${ROLLOUT_ID}: unload floppy on 40 hosts in 3 waves; it begins.\n`);
    expect(bare.out).toBe(
      `${ROLLOUT_ID}\t2026-11-22T14:03:05.000Z\trunning\tunload\tfloppy\t40\t4\t4\tkim\tenv=prod\t\n`,
    );
    await cli.run([
      ...CREATE,
      ...'--waves 1,10%,100% --canary --concurrency 5% --bake 5m --deadline 2h'.split(' '),
      ...'--budget failed=2%,unreachable=5% --budget wave.failed=1 --on-budget roll-back'.split(' '),
      ...'--offline skip --order random:42 --require-approval --reason CVE-2026-1'.split(' '),
    ]);
    expect(cli.server().requests[1]?.body).toEqual({
      plan: PLAN_ID,
      waves: ['1', '10%', '100%'],
      canary: true,
      concurrency: '5%',
      bake: 300,
      deadline: 7200,
      budget: { whole: { failed: '2%', unreachable: '5%' }, wave: { failed: '1' } },
      onBudget: 'roll_back',
      offline: 'skip',
      order: { by: 'random', seed: 42 },
      requireApproval: true,
      reason: 'CVE-2026-1',
    });
    await cli.run([
      ...CREATE,
      '--bake',
      '0',
      '--deadline',
      '90s',
      '--order',
      'label:example.com/rack',
      '--concurrency',
      'unlimited',
    ]);
    expect(cli.server().requests[2]?.body).toEqual({
      plan: PLAN_ID,
      bake: 0,
      deadline: 90,
      order: { by: 'label', label: 'example.com/rack' },
      concurrency: 'unlimited',
    });
  });

  it.each([
    [['--waves', '10%,5%'], 'waves grow, and 5% does not reach further than 10% before it', '--waves 1,10%,100%'],
    [['--waves', '5,5'], 'waves grow', ''],
    [['--waves', '0,5'], 'a wave of no hosts is none', ''],
    [['--waves', '1,,5'], 'takes a number of hosts or a percentage', ''],
    [['--waves', '120%'], 'takes a number of hosts or a percentage', ''],
    [['--concurrency', '0'], '--concurrency 0 would never begin', 'modfleet rollouts pause ID'],
    [['--budget', 'faild=1%'], 'there is no kind of failure "faild"', 'did you mean failed?'],
    [['--budget', 'wave.unreachabel=1'], 'there is no kind of failure "unreachabel"', 'did you mean wave.unreachable?'],
    [['--budget', 'failed'], 'takes kinds of failure with limits', 'failed=2%'],
    [['--budget', 'failed=some'], '--budget: failed takes a number of hosts or a percentage', ''],
    [['--budget', 'failed=1', '--budget', 'failed=2'], 'failed is given twice', ''],
    [['--bake', '5 minutes'], '--bake takes a time', 'a number alone means seconds'],
    [['--deadline', '5s'], '--deadline takes a time from 10s to 30d', ''],
    [['--on-budget', 'stop'], '--on-budget takes one of pause, abort, roll-back', ''],
    [['--offline', 'never'], '--offline takes one of wait, skip', ''],
    [['--order', 'name'], '--order takes random, random:SEED or label:KEY', ''],
    [['--order', 'random:99999999999'], 'takes a seed from 0 to', ''],
    [['--exit-status'], 'add --watch', ''],
    [['--dry-run', '--watch'], 'leave out --watch', ''],
  ])('%j says what is wrong and what to do, and sends nothing', async (words, message, hint) => {
    const { code, err } = await cli.run([...CREATE, ...words]);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
    expect(err).toContain(hint);
    expect(cli.server().requests).toEqual([]);
  });

  it('--watch follows it to its end', async () => {
    cli.server().on('POST /rollouts', json(rollout(), 201));
    cli.server().on(WATCH, events({ event: 'rollout', id: '30', data: succeeded() }));
    const { code, out } = await cli.run([...CREATE, '--watch', '--exit-status'], { columns: 100 });
    expect(code).toBe(0);
    expect(out).toContain('Unloaded, can return: floppy on 40 of 40 hosts');
  });

  it.each([
    ['plan_not_ready', 409, 6, `modfleet rollouts show-plan ${PLAN_ID}`],
    ['plan_expired', 409, 6, 'modfleet rollouts plan VERB NAME'],
    ['plan_empty', 409, 6, `modfleet rollouts show-plan ${PLAN_ID} --targets`],
    ['rollout_conflict', 409, 6, `modfleet rollouts show ${ROLLOUT_ID}`],
  ])('%s has a way out', async (code, status, exit, hint) => {
    cli.server().on('POST /rollouts', problem(status, code, 'not now', { candidates: [ROLLOUT_ID] }));
    const ended = await cli.run(CREATE);
    expect([ended.code, ended.err]).toEqual([exit, expect.stringContaining(hint)]);
  });

  it('calls a field that the server refuses as it was typed', async () => {
    const errors = [{ path: 'onBudget', message: 'is not possible here' }];
    cli.server().on('POST /rollouts', problem(400, 'body_invalid', 'onBudget: is not possible here', { errors }));
    expect((await cli.run(CREATE)).err).toContain('modfleet: --on-budget: is not possible here');
  });
});

describe('rollouts create --dry-run', () => {
  it('shows the waves in hosts, and asks nothing of any host', async () => {
    const items = [
      planTarget(1),
      planTarget(2, { kernelRelease: '6.12.1' }),
      planTarget(3),
      // It refuses for good: no canary is needed of its kind.
      planTarget(36, { code: 'denied_by_host_policy', hardware: 'physical' }),
    ];
    cli.server().on(GET_PLAN, json(plan()));
    cli.server().on(`${GET_PLAN}/targets`, json({ items, nextCursor: null, asOf: AS_OF, freeze: null }));
    const options = ['--waves', '1,10%,50%', '--canary', '--budget', 'failed=5%,wave.failed=10%', '--bake', '90s'];
    const { code, out } = await cli.run([...CREATE, ...options, '--dry-run'], { columns: 100 });
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "Dry run: nothing is created, and no host is asked.
      Unload floppy on 40 hosts: 31 would change, 5 are already so, 3 refuse and 1 cannot say.

      plan           33333333-3333-4333-8333-333333333333
      good until     23 Nov 14:03:00
      hosts          env=prod
      at a time      1 host
      bake           90s
      when exceeded  pause
      deadline       1h after its creation
      offline        waited for until the deadline
      order          random

      Waves:
        0 (canary): 2 hosts
        1: 1 host, 3 in all
        2: 16 hosts, 19 in all
        3: 20 hosts, 39 in all
        to 1 host nothing is sent: see what refuses in the plan

      At most so many hosts may fail:
        refused: no limit
        failed: 2 (5%); in a wave 2 (10% of the largest)
        stuck: 0
        reverted: 0
        unreachable: no limit
        unconfirmed: 0
        drifted: 0
        unhealthy: 0

      Next:
        begin it:  modfleet rollouts create 33333333-3333-4333-8333-333333333333 --waves 1,10%,50% --bake 90s --budget failed=5%,wave.failed=10% --canary
      "
    `);
    expect(cli.server().requests.map(({ method }) => method)).toEqual(['GET', 'GET']);
  });

  it('of a file counts the hosts that would be asked', async () => {
    cli.server().on('GET /hosts', json({ items: [], nextCursor: null, matched: 200, unknown: 0 }));
    const path = file('plan: {verb: unload, kmod: floppy, selector: env=prod}', 'waves: [1%, 10%]', 'canary: true');
    const { code, out } = await cli.run(['rollouts', 'create', '-f', path, '--dry-run'], { columns: 100 });
    expect(code).toBe(0);
    expect(out.replace(path, 'FILE')).toMatchInlineSnapshot(`
      "Dry run: nothing is created, and no host is asked.
      Would be planned first, and every host asked: unload floppy on 200 hosts.

      hosts          env=prod
      at a time      10 hosts
      bake           1m
      when exceeded  pause
      deadline       1h after its creation
      offline        waited for until the deadline
      order          random

      Waves:
        before these a canary: one host of each kernel release and kind of hardware; how many, the plan
          will tell
        0: 2 hosts
        1: 18 hosts, 20 in all
        2: 180 hosts, 200 in all

      At most so many hosts may fail:
        refused: no limit
        failed: 0
        stuck: 0
        reverted: 0
        unreachable: no limit
        unconfirmed: 0
        drifted: 0
        unhealthy: 0

      Next:
        begin it:  modfleet rollouts create -f FILE
      "
    `);
    expect(cli.server().requests.map(({ method, query }) => [method, query])).toEqual([
      ['GET', { selector: 'env=prod', limit: '1' }],
    ]);
  });

  it('is there for programs', async () => {
    cli.server().on(GET_PLAN, json(plan()));
    const { out } = await cli.run([...CREATE, '--waves', '10,100%', '--dry-run', '--json', 'rollout,hosts,waves']);
    expect(JSON.parse(out)).toEqual({
      rollout: { plan: PLAN_ID, waves: ['10', '100%'] },
      hosts: 40,
      waves: [
        { wave: 0, canary: false, hosts: 10, inAll: 10 },
        { wave: 1, canary: false, hosts: 29, inAll: 39 },
      ],
    });
  });
});

describe('rollouts create -f', () => {
  const whole = ['plan:', '  verb: unload', '  kmod: floppy', '  hosts: [web-1, web-2]', 'waves: [1, 100%]'];

  it('makes the plan, shows it, asks, and begins it', async () => {
    cli.server().on('POST /rollout-plans', json(plan(), 202));
    cli.server().on('POST /rollouts', json(rollout(), 201));
    const { code, err } = await cli.run(['rollouts', 'create', '-f', file(...whole)], { columns: 100, typed: ['y'] });
    expect(code).toBe(0);
    expect(err).toContain('Unload floppy on 40 hosts: 31 would change');
    expect(err).toContain('Begin: unload floppy on 40 hosts? [y/N] ');
    expect(cli.server().requests.map(({ path, body }) => [path, body])).toEqual([
      ['/rollout-plans', { verb: 'unload', kmod: 'floppy', hosts: ['web-1', 'web-2'] }],
      ['/rollouts', { plan: PLAN_ID, waves: ['1', '100%'] }],
    ]);
  });

  it('takes a no for a no, and says that the plan is there', async () => {
    cli.server().on('POST /rollout-plans', json(plan(), 202));
    const { code, err } = await cli.run(['rollouts', 'create', '-f', file(...whole)], { columns: 100, typed: ['n'] });
    expect([code, err]).toEqual([1, expect.stringContaining(`modfleet rollouts create ${PLAN_ID}`)]);
    expect(cli.server().requests).toHaveLength(1);
  });

  it('asks a program to say that it is meant', async () => {
    const refused = await cli.run(['rollouts', 'create', '-f', file(...whole)]);
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('--yes')]);
    expect(cli.server().requests).toEqual([]);
    cli.server().on('POST /rollout-plans', json(plan(), 202));
    cli.server().on('POST /rollouts', json(rollout(), 201));
    expect((await cli.run(['rollouts', 'create', '-f', '-', '--yes'], { piped: whole.join('\n') })).code).toBe(0);
  });

  it('takes a plan that is there; options beside the file stand in place of what it says', async () => {
    cli.server().on('POST /rollouts', json(rollout(), 201));
    const path = file(`plan: ${PLAN_ID}`, 'waves: [1, 100%]', 'bake: 1m');
    expect((await cli.run(['rollouts', 'create', '-f', path, '--bake', '5m'])).code).toBe(0);
    expect(cli.server().requests[0]?.body).toEqual({ plan: PLAN_ID, waves: ['1', '100%'], bake: 300 });
    const twice = await cli.run(['rollouts', 'create', PLAN_ID, '-f', path]);
    expect([twice.code, twice.err]).toEqual([2, expect.stringContaining('the plan is named twice')]);
    const options = file('waves: [1, 100%]');
    await cli.run(['rollouts', 'create', PLAN_ID, '-f', options]);
    expect(cli.server().requests[1]?.body).toEqual({ plan: PLAN_ID, waves: ['1', '100%'] });
    expect((await cli.run(['rollouts', 'create', '-f', options])).err).toContain('the file has no plan');
  });
});
