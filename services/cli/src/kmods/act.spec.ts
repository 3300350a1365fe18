import { describe, expect, it } from 'vitest';
import type { OutcomeWord } from '@modfleet/server/api-types';
import { cut, events, json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { plan, PLAN_ID } from '../testing/rollout-samples.ts';
import { action, ACTION_ID, unloaded, verdict } from '../testing/samples.ts';

const cli = useCli();
const WATCH = `GET /actions/${ACTION_ID}/watch`;
const event = (data: ReturnType<typeof action>) => ({ event: 'action', id: String(data.version), data });
const UNLOAD = ['kmods', 'unload', 'floppy', '--host', 'web-1'];

const inUse = verdict({
  allowed: false,
  decidedBy: 'in_use',
  plan: [],
  findings: [
    {
      layer: 'kernel',
      code: 'in_use',
      refuses: true,
      message: 'floppy has 2 references',
      evidence: [
        { kind: 'mount', value: '/dev/fd0 on /mnt' },
        { kind: 'process', value: 'cp (pid 812)' },
      ],
    },
    { layer: 'policy', code: 'busy', refuses: false, message: 'another action has just ended', evidence: [] },
  ],
});

describe('kmods unload', () => {
  it('is accepted and says how to go on; nothing is claimed', async () => {
    cli.server().on('POST /actions', json(action(), 202));
    const { code, out, err } = await cli.run([...UNLOAD, '--reason', 'CVE-2026-1', '--expires-in', '5m'], {
      columns: 100,
    });
    expect(code).toBe(0);
    expect(err).toBe(`Action ${ACTION_ID} is accepted: unload floppy on web-1; it begins by 14:05:20 or not at all.\n`);
    expect(out).toMatchInlineSnapshot(`
      "Waiting for the host: unload floppy on web-1.

      action   22222222-2222-4222-8222-222222222222
      asked    14:03 by admin
      expires  14:05:20

      So far:
        14:03:20  queued

      Next:
        wait for the end:  modfleet actions watch 22222222-2222-4222-8222-222222222222
        call it off:       modfleet actions cancel 22222222-2222-4222-8222-222222222222
      "
    `);
    const [request] = cli.server().requests;
    expect(request?.body).toEqual({
      host: 'web-1',
      verb: 'unload',
      kmod: 'floppy',
      dryRun: false,
      expiresIn: 300,
      reason: 'CVE-2026-1',
    });
    expect(request?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    [['--confirm-window', '60'], 60],
    [['--confirm-window', '2m'], 120],
    [['--confirm-window'], true],
  ])('%j asks for a window of %j', async (option, sent) => {
    cli.server().on('POST /actions', json(action(), 202));
    await cli.run([...UNLOAD, ...option]);
    expect(cli.server().requests[0]?.body).toMatchObject({ confirmWindow: sent });
  });

  it('--watch tells each step and the end: unloaded is not gone for good', async () => {
    cli.server().on('POST /actions', json(action(), 202));
    cli.server().on(WATCH, events(event(action()), event(unloaded())));
    const { code, out, err } = await cli.run([...UNLOAD, '--watch'], { columns: 100 });
    expect(code).toBe(0);
    expect(err).toMatchInlineSnapshot(`
      "Action 22222222-2222-4222-8222-222222222222 is accepted: unload floppy on web-1; it begins by 14:05:20 or not at all.
      14:03:20  queued
      14:03:20  dispatched
      14:03:20  ended: succeeded - seen in /proc/modules
      "
    `);
    expect(out).toMatchInlineSnapshot(`
      "Unloaded, can return: floppy on web-1.
      floppy is unloaded; an alias can bring it back.

      action  22222222-2222-4222-8222-222222222222
      asked   14:03 by admin

      Done on the host:
        1. rmmod floppy: seen in /proc/modules (exit 0, 0.1 s)

      These can bring it back:
        alias: pnp:dPNP0700*

      Next:
        see who runs it now:  modfleet kmods hosts floppy --live
      "
    `);
  });

  it('--dry-run waits, shows findings with evidence, and touches nothing', async () => {
    const ended = unloaded({
      dryRun: true,
      outcome: 'refused',
      verdict: inUse,
      result: null,
      canReturn: false,
      message: 'floppy is in use.',
    });
    cli.server().on('POST /actions', json(action({ dryRun: true }), 202));
    cli.server().on(WATCH, events(event(ended)));
    const { code, out } = await cli.run([...UNLOAD, '--dry-run'], { columns: 100 });
    expect(code).toBe(1);
    expect(out).toMatchInlineSnapshot(`
      "Would be refused (in_use): unload floppy on web-1.
      floppy is in use.

      action  22222222-2222-4222-8222-222222222222
      asked   14:03 by admin

      Findings:
        refuses  in_use (kernel): floppy has 2 references
                 mount: /dev/fd0 on /mnt
                 process: cp (pid 812)
        note     busy (policy): another action has just ended

      Next:
        who uses it, as far as the kernel tells:  modfleet kmods hosts floppy --live
        see the host:                             modfleet hosts show web-1
      "
    `);
    expect(cli.server().requests[0]?.body).toMatchObject({ dryRun: true });
  });

  it('--dry-run on an observing host says that the unload would be refused, and does not offer it', async () => {
    const observe = {
      code: 'denied_by_host_policy' as const,
      layer: 'policy' as const,
      refuses: false,
      message: 'mode is observe',
      evidence: [],
    };
    const plan = verdict({ allowed: false, decidedBy: 'denied_by_host_policy', findings: [observe] });
    const ended = unloaded({
      dryRun: true,
      outcome: 'refused',
      verdict: plan,
      result: null,
      canReturn: false,
      message: '',
    });
    cli.server().on('POST /actions', json(action({ dryRun: true }), 202));
    cli.server().on(WATCH, events(event(ended)));
    const { code, out } = await cli.run([...UNLOAD, '--dry-run'], { columns: 100 });
    expect(code).toBe(1);
    expect(out).toContain('Would be refused as the host is set up (denied_by_host_policy)');
    expect(out).not.toContain('do it:');
  });

  it('--dry-run of what would be allowed shows the plan and the command that does it', async () => {
    const ended = unloaded({ dryRun: true, result: null, canReturn: false, message: '' });
    cli.server().on('POST /actions', json(action({ dryRun: true }), 202));
    cli.server().on(WATCH, events(event(ended)));
    const { code, out } = await cli.run([...UNLOAD, '--dry-run'], { columns: 100 });
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "Would run: unload floppy on web-1.

      action  22222222-2222-4222-8222-222222222222
      asked   14:03 by admin

      Plan, not run:
        1. rmmod floppy  (asked for)

      Afterwards these could bring it back:
        alias: pnp:dPNP0700*

      Next:
        do it:  modfleet kmods unload floppy --host web-1 --watch
      "
    `);
  });

  it.each<[OutcomeWord, number]>([
    ['succeeded', 0],
    ['unchanged', 0],
    ['refused', 1],
    ['failed', 1],
    ['reverted', 1],
    ['expired', 1],
    ['cancelled', 1],
    ['interrupted', 1],
    ['unconfirmed', 1],
    ['stuck', 1],
  ])('%s ends with %i', async (outcome, code) => {
    cli.server().on('POST /actions', json(action(), 202));
    cli.server().on(WATCH, events(event(unloaded({ outcome, canReturn: false }))));
    expect((await cli.run([...UNLOAD, '--watch'])).code).toBe(code);
  });

  it('never calls an unconfirmed action done, and a late result resolves it', async () => {
    cli.server().on('POST /actions', json(action(), 202));
    const late = { outcome: 'unconfirmed' as const, result: null, canReturn: false };
    cli.server().on(WATCH, events(event(unloaded(late))));
    const unsure = await cli.run([...UNLOAD, '--watch'], { columns: 100 });
    expect(unsure.out).toContain('It may have run');
    cli.server().on(WATCH, events(event(unloaded({ ...late, resolvedOutcome: 'succeeded' }))));
    const resolved = await cli.run([...UNLOAD, '--watch'], { columns: 200 });
    expect([resolved.code, resolved.out.includes('(first counted as unconfirmed)')]).toEqual([0, true]);
  });
});

describe('kmods load', () => {
  it('sends parameters', async () => {
    cli.server().on('POST /actions', json(action({ verb: 'load' }), 202));
    await cli.run(['kmods', 'load', 'hello-kmod', '--host', 'web-1', '--param', 'who=x,y', '--param', 'times=3']);
    expect(cli.server().requests[0]?.body).toMatchObject({
      kmod: 'hello_kmod',
      parameters: { who: 'x,y', times: '3' },
    });
  });

  it('refuses what the kernel would split or the API would not read, before anything is sent', async () => {
    const load = ['kmods', 'load', 'x', '--host', 'web-1'];
    for (const parameter of ['who', '=x', 'who=a b', 'who="a"', 'who=a\nb', 'w h=x']) {
      expect([parameter, (await cli.run([...load, '--param', parameter])).code]).toEqual([parameter, 2]);
    }
    const twice = await cli.run([...load, '--param', 'a=1', '--param', 'a=2']);
    expect([twice.code, twice.err]).toEqual([2, 'modfleet: --param a is given twice\n']);
    for (const options of [
      ['--expires-in', '1s'],
      ['--expires-in', '2d'],
      ['--reason', ' '],
      ['--host', '-x'],
      ['--host', ''],
    ]) {
      expect([options, (await cli.run([...load, ...options])).code]).toEqual([options, 2]);
    }
    expect((await cli.run(['kmods', 'unload', 'x', '--host', 'h', '--param', 'a=1'])).code).toBe(2);
    expect((await cli.run(['kmods', 'load', 'x'])).code).toBe(2);
    expect(cli.server().requests).toEqual([]);
  });
});

describe('a lost connection', () => {
  it('sends a change again under the same key', async () => {
    cli.server().on('POST /actions', cut, json(action(), 202));
    expect((await cli.run(UNLOAD)).code).toBe(0);
    const keys = cli.server().requests.map((request) => request.headers['idempotency-key']);
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  it('takes a watch up where it was', async () => {
    cli.server().on('POST /actions', json(action(), 202));
    cli.server().on(`GET /actions/${ACTION_ID}`, json(action()));
    cli
      .server()
      .on(WATCH, events(event(action())), cut, problem(503, 'database_unavailable', 'down'), events(event(unloaded())));
    const { code, err } = await cli.run([...UNLOAD, '--watch']);
    expect(code).toBe(0);
    expect(err.match(/queued/g)).toHaveLength(1);
    const watches = cli.server().requests.filter((request) => request.path.endsWith('/watch'));
    expect(watches.map((request) => request.headers['last-event-id'])).toEqual([undefined, '1', '1', '1']);
  });

  it('gives up without saying how the action ended', async () => {
    cli.server().on('POST /actions', json(action(), 202));
    cli.server().on(WATCH, problem(503, 'database_unavailable', 'the database does not answer'));
    const { code, out, err } = await cli.run([...UNLOAD, '--watch'], { columns: 100 });
    expect([code, out]).toEqual([5, '']);
    expect(err).toContain(`The action goes on by itself\n  how it ends: modfleet actions watch ${ACTION_ID}`);
  });

  it('is not what an answer of the server is: that ends a watch at once', async () => {
    cli.server().on('POST /actions', json(action(), 202));
    cli.server().on(WATCH, problem(404, 'action_not_found', 'there is no such action'));
    expect((await cli.run([...UNLOAD, '--watch'])).code).toBe(3);
    expect(cli.server().requests).toHaveLength(2);
  });
});

describe('Ctrl-C during a watch', () => {
  it('ends with 130 and says that the action goes on', async () => {
    cli.server().on('POST /actions', json(action(), 202));
    const { code, err } = await cli.run([...UNLOAD, '--watch'], {}, (io) => {
      cli.server().on(WATCH, (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n');
        io.interrupt();
      });
    });
    expect(code).toBe(130);
    expect(err).toContain('The action goes on by itself');
  });
});

describe('kmods unload on more than one host', () => {
  const many = ['kmods', 'unload', 'floppy'];

  it.each([
    [['-l', 'env=prod'], { selector: 'env=prod' }],
    [['--all'], { all: true }],
    [['--host', 'web-1', '--host', 'web-2'], { hosts: ['web-1', 'web-2'] }],
    [['-l', 'env=prod', '--dry-run'], { selector: 'env=prod' }],
  ])('%j makes a plan, shows it, and ends with the command to go on with', async (which, hosts) => {
    cli.server().on('POST /rollout-plans', json(plan(), 202));
    const { code, out } = await cli.run([...many, ...which, '--confirm-window', '--reason', 'CVE-2026-1']);
    expect(code).toBe(0);
    expect(out).toContain('Unload floppy on 40 hosts: 31 would change');
    expect(out.trimEnd()).toMatch(new RegExp(`modfleet rollouts create ${PLAN_ID}$`));
    expect(cli.server().requests.map(({ body }) => body)).toEqual([
      { verb: 'unload', kmod: 'floppy', ...hosts, confirmWindow: 120, reason: 'CVE-2026-1' },
    ]);
  });

  it('one host named twice is one host', async () => {
    cli.server().on('POST /actions', json(action(), 202));
    expect((await cli.run([...UNLOAD, '--host', 'web-1'])).code).toBe(0);
  });

  it.each([
    [[], 'say which hosts are meant', 'modfleet kmods unload floppy -l SELECTOR, or --all'],
    [['--all', '--watch'], '--watch is for one host', 'modfleet rollouts create PLAN --watch'],
    [['--all', '--expires-in', '5m'], '--expires-in is for one host', '--deadline 2h'],
    [['--all', '--host', 'web-1'], 'named in more than one way', '-l SELECTOR'],
    [['--all', '--override', 'route'], '--override needs --confirm-window', ''],
    [['--all', '--reason', ' '], '--reason is empty', ''],
  ])('%j is refused before anything is sent', async (options, message, hint) => {
    const { code, err } = await cli.run([...many, ...options]);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
    expect(err).toContain(hint);
    expect(cli.server().requests).toEqual([]);
  });
});
