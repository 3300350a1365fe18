import { describe, expect, it } from 'vitest';
import { json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { action, ACTION_ID, AS_OF, unloaded, verdict } from '../testing/samples.ts';

const cli = useCli();

describe('actions list', () => {
  const items = [unloaded(), action({ verb: 'load', reason: 'canary', requestedBy: 'ci' })];
  const answer = { items, nextCursor: null, asOf: AS_OF, freeze: null };

  it('shows a table', async () => {
    cli.server().on('GET /actions', json(answer));
    const { out } = await cli.run(['actions', 'list'], { columns: 120 });
    expect(out).toMatchInlineSnapshot(`
      "ACTION                                ASKED  HOST   VERB    KMOD    STATE                  BY     REASON
      22222222-2222-4222-8222-222222222222  14:03  web-1  unload  floppy  succeeded, can return  admin
      22222222-2222-4222-8222-222222222222  14:03  web-1  load    floppy  queued                 ci     canary
      "
    `);
  });

  it('passes its filters', async () => {
    cli.server().on('GET /actions', json(answer));
    await cli.run([
      'actions',
      'list',
      '--host',
      'web-1',
      '--kmod',
      'snd-pcm',
      '--state',
      'ended',
      '--outcome',
      'refused',
    ]);
    expect(cli.server().requests[0]?.query).toEqual({
      host: 'web-1',
      kmod: 'snd_pcm',
      state: 'ended',
      outcome: 'refused',
    });
    expect((await cli.run(['actions', 'list', '--outcome', 'fine'])).code).toBe(2);
  });

  it('says on every answer that the fleet is frozen', async () => {
    const freeze = { by: 'admin', reason: 'incident 42', at: '2026-11-22T13:00:00.000Z' };
    cli.server().on('GET /actions', json({ ...answer, freeze }));
    expect((await cli.run(['actions', 'list'])).err).toMatchInlineSnapshot(`
      "The fleet is frozen by admin since 13:00: incident 42
        No action is dispatched until it is lifted: modfleet thaw
      "
    `);
  });
});

describe('actions show', () => {
  it('shows what failed, with the words of the tools and the kernel, harmlessly', async () => {
    const { result } = unloaded();
    const failed = unloaded({
      outcome: 'failed',
      canReturn: false,
      message: 'The kernel refused.',
      parameters: { debug: '1' },
      verdict: verdict({ reloadPaths: [] }),
      result: result && {
        ...result,
        steps: [
          {
            kind: 'rmmod',
            kmod: 'floppy',
            exitCode: 1,
            stderr: 'rmmod: ERROR: \u001b[31min use\n',
            errno: 'EAGAIN',
            durationMs: 12_300,
            verified: false,
          },
        ],
        reasonCode: 'rejected_by_kernel',
        taintBefore: 0,
        taintAfter: 4096,
        kernelLog: ['[ 12.3] floppy: busy'],
        reloadPaths: [],
      },
    });
    cli.server().on(`GET /actions/${ACTION_ID}`, json(failed));
    const { code, out } = await cli.run(['actions', 'show', ACTION_ID], { columns: 100 });
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "Failed (rejected_by_kernel): unload floppy on web-1.
      The kernel refused.

      action      22222222-2222-4222-8222-222222222222
      asked       14:03 by admin
      parameters  debug=1

      Done on the host:
        1. rmmod floppy: not so in /proc/modules afterwards (exit 1, EAGAIN, 12 s)
           rmmod: ERROR: \\x1b[31min use

      The kernel's taint went from 0 to 4096.

      Kernel log:
        [ 12.3] floppy: busy

      Next:
        what is loaded now:  modfleet kmods hosts floppy --live
        see the host:        modfleet hosts show web-1
      "
    `);
  });

  it('prints the chosen fields as JSON', async () => {
    cli.server().on(`GET /actions/${ACTION_ID}`, json(unloaded()));
    const { out } = await cli.run(['actions', 'show', ACTION_ID, '--json', 'outcome,canReturn']);
    expect(out).toBe('{"outcome":"succeeded","canReturn":true}\n');
  });

  it('refuses what is no id, and says when there is no such action', async () => {
    expect((await cli.run(['actions', 'show', 'latest'])).code).toBe(2);
    cli.server().on(`GET /actions/${ACTION_ID}`, problem(404, 'action_not_found', 'there is no action of that id'));
    const { code, err } = await cli.run(['actions', 'show', ACTION_ID]);
    expect([code, err]).toEqual([
      3,
      'modfleet: there is no action of that id\n  see the latest: modfleet actions list\n',
    ]);
  });
});

describe('actions cancel', () => {
  it.each([
    [true, unloaded({ outcome: 'cancelled', result: null, canReturn: false }), 0, 'Cancelled: it did not start.'],
    [false, action({ state: 'started' }), 1, 'Not cancelled: it may have started.'],
    [false, unloaded(), 1, 'Not cancelled: it had ended already.'],
  ])('cancelled: %s', async (cancelled, item, code, text) => {
    cli.server().on(`POST /actions/${ACTION_ID}/cancel`, json({ cancelled, action: item, freeze: null }));
    const ended = await cli.run(['actions', 'cancel', ACTION_ID]);
    expect(ended.code).toBe(code);
    expect(ended.err).toContain(text);
  });
});
