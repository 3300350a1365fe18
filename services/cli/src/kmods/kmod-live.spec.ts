import { describe, expect, it } from 'vitest';
import type { KmodAnswer, QueryEnd } from '@modfleet/server/api-types';
import { events, json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { AS_OF, e1000eHosts, hostId } from '../testing/samples.ts';

const cli = useCli();

const start = { event: 'start', data: { queryId: hostId(9), targets: 3, asOf: AS_OF, freeze: null } };
const end = (fields: Partial<QueryEnd> = {}) => ({
  event: 'end',
  data: {
    targets: 3,
    answered: 2,
    noAnswer: [{ host: { id: hostId(3), name: 'db-2' }, reason: 'silent', detail: 'not connected since 02:11' }],
    elapsedMs: 412,
    ...fields,
  },
});
const answer = (n: number, fields: Partial<KmodAnswer>) => ({
  event: 'answer',
  data: {
    host: { id: hostId(n), name: `web-${n}` },
    elapsedMs: n * 100,
    kmods: [
      {
        name: 'snd_pcm',
        presence: 'loaded',
        reason: null,
        refcount: 0,
        holders: [],
        loaded: null,
        blocks: [],
        ...fields,
      },
    ],
  },
});
const resolved = { ...e1000eHosts(), name: 'snd_pcm', requested: 'snd-pcm' };
const held = answer(2, {
  refcount: 3,
  holders: ['snd_hda_intel', 'snd_hda_codec'],
  loaded: { buildId: 'ab'.repeat(20), size: 1, taint: '', version: null, srcversion: null, state: 'live' },
});

describe('kmods hosts --live', () => {
  it('says of one host what one host says', async () => {
    const one = { ...start, data: { ...start.data, targets: 1 } };
    cli.server().on('GET /kmods/snd_pcm', json(resolved));
    cli.server().on('POST /queries', events(one, end({ targets: 1, answered: 0 })));
    const { err } = await cli.run(['kmods', 'hosts', 'snd-pcm', '--live']);
    expect(err).toBe('0 of 1 host says that it runs snd_pcm now; 1 did not answer: db-2 (silent).\n');
  });

  it('shows who runs it now, who holds it, who did not answer', async () => {
    cli.server().on('GET /kmods/snd_pcm', json(resolved));
    cli.server().on('POST /queries', events(start, held, answer(1, { presence: 'on_disk', refcount: null }), end()));
    const { code, out } = await cli.run(['kmods', 'hosts', 'snd-pcm', '--live'], { columns: 100 });
    expect(out).toMatchInlineSnapshot(`
      "1 of 3 hosts runs snd_pcm now (loaded on 1); 1 does not, but could load it from disk; 1 did not
      answer: db-2 (silent).
      Asked at 14:03:22: 2 of 3 hosts answered within 0.4 s.

      HOST   STATE   REFS  HELD BY                      BUILD     ANSWERED IN
      web-2  loaded  3     snd_hda_intel,snd_hda_codec  abababab  0.2 s

      No answer: 1 host.
      HOST  WHY     DETAIL
      db-2  silent  not connected since 02:11

      Next:
        what an unload would do:  modfleet kmods unload snd_pcm --host web-2 --dry-run
        what they last said:      modfleet kmods hosts snd_pcm --presence unknown
      "
    `);
    expect(code).toBe(0);
    expect(cli.server().requests[1]?.body).toEqual({ kmods: ['snd_pcm'], timeoutMs: 2000, all: true });
    expect(cli.server().requests[1]?.headers['idempotency-key']).toBeUndefined();
  });

  it('says why a host that answered could not say', async () => {
    cli.server().on('GET /kmods/snd_pcm', json(resolved));
    const reason = 'not loaded; whether it is built in or on disk is not known: /lib/modules/6.1.0 does not exist';
    const mute = answer(1, { presence: null, reason, refcount: null });
    cli.server().on('POST /queries', events(start, held, mute, end()));
    const { out } = await cli.run(['kmods', 'hosts', 'snd-pcm', '--live'], { columns: 80 });
    expect(out).toContain(
      [
        'Answered, but could not say: 1 host.',
        '  web-1: not loaded; whether it is built in or on disk is not known:',
        '    /lib/modules/6.1.0 does not exist',
      ].join('\n'),
    );
    expect(out).toContain('what web-1 can report:    modfleet hosts show web-1');
  });

  it('passes the selector and the time to wait', async () => {
    cli.server().on('GET /kmods/snd_pcm', json(resolved));
    cli.server().on('POST /queries', events(start, held, end()));
    const { out, err } = await cli.run(['kmods', 'hosts', 'snd-pcm', '--live', '-l', 'env=prod', '--timeout', '500ms']);
    expect(cli.server().requests[1]?.body).toEqual({ kmods: ['snd_pcm'], timeoutMs: 500, selector: 'env=prod' });
    expect(err).toBe(
      '1 of 3 hosts runs snd_pcm now (loaded on 1); 1 did not answer: db-2 (silent); 1 could not say.\n',
    );
    expect(out).toBe(`web-2\tloaded\t3\tsnd_hda_intel,snd_hda_codec\t${'ab'.repeat(20)}\t\t200\t${hostId(2)}\n`);
  });

  it('asks for a name that nobody has reported', async () => {
    cli.server().on('GET /kmods/rare', problem(404, 'kmod_unknown', 'no host knows it'));
    cli.server().on('POST /queries', events(start, end({ answered: 3, noAnswer: [] })));
    await cli.run(['kmods', 'hosts', 'rare', '--live']);
    expect(cli.server().requests[1]?.body).toMatchObject({ kmods: ['rare'] });
  });

  it('counts who did not answer as unknown, for scripts too', async () => {
    cli.server().on('GET /kmods/snd_pcm', json(resolved));
    cli.server().on('POST /queries', events(start, held, end()));
    const { code, out } = await cli.run([
      'kmods',
      'hosts',
      'snd_pcm',
      '--live',
      '--exit-status',
      '--json',
      'counts,noAnswer',
    ]);
    expect(code).toBe(8);
    expect(JSON.parse(out)).toMatchObject({ counts: { loaded: 1, unknown: 2 }, noAnswer: [{ reason: 'silent' }] });
  });

  it('does not take half an answer for a whole one', async () => {
    cli.server().on('GET /kmods/snd_pcm', json(resolved));
    cli.server().on('POST /queries', events(start, held));
    const { code, out, err } = await cli.run(['kmods', 'hosts', 'snd_pcm', '--live']);
    expect([code, out]).toEqual([5, '']);
    expect(err).toContain('stopped in the middle');
  });
});
