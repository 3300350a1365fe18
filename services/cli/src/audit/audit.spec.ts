import type { AuditReport, AuditRow } from '@modfleet/server/api-types';
import { describe, expect, it } from 'vitest';
import { events, json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { AS_OF, hostId } from '../testing/samples.ts';

const cli = useCli();

const row = (fields: Partial<AuditRow> = {}): AuditRow => ({
  id: `${hostId(1)}.0.7`,
  at: '2026-11-22T14:03:20.123Z',
  who: { kind: 'token', id: hostId(2), name: 'ops' },
  from: { via: 'http', address: '192.0.2.7', requestId: hostId(3) },
  what: 'action.request',
  object: hostId(4),
  kmod: 'floppy',
  selector: null,
  targets: { count: 1, root: '00', hosts: [hostId(5)] },
  reason: 'CVE-2026-31431',
  details: '{"verb":"unload"}',
  outcome: 'allowed',
  keyDigest: null,
  intact: true,
  ...fields,
});
const listed = (...items: AuditRow[]) => json({ items, nextCursor: null, asOf: AS_OF, alarms: [], freeze: null });

describe('audit list', () => {
  it('shows who did what, and asks for what was asked for', async () => {
    cli.server().on('GET /audit', listed(row(), row({ outcome: 'frozen', reason: null })));
    const { code, out } = await cli.run(
      ['audit', 'list', '--who', 'ops', '--host', 'web-1', '--kmod', 'floppy', '--what', 'action', '--since', '24h'],
      { columns: 160 },
    );
    expect(code).toBe(0);
    expect(out).toContain('ops  192.0.2.7  action.request  floppy  1      allowed  CVE-2026-31431');
    expect(out).toContain('frozen');
    expect(cli.server().requests[0]?.query).toEqual({
      who: 'ops',
      host: 'web-1',
      kmod: 'floppy',
      what: 'action',
      since: '2026-11-21T14:03:30.000Z',
    });
  });

  it.each([
    ['--who', 'vick', 'actor_unknown', 'vicky', 'modfleet audit list --who vicky'],
    ['--kmod', 'flopy', 'kmod_unknown', 'floppy', 'modfleet audit list --kmod floppy'],
  ])('says that %s %s is nobody’s name, and which may be meant', async (option, name, code, near, hint) => {
    cli.server().on('GET /audit', problem(404, code as 'actor_unknown', 'no such name', { candidates: [near] }));
    const ended = await cli.run(['audit', 'list', option, name]);
    expect([ended.code, ended.out]).toEqual([3, '']);
    expect(ended.err).toContain(`modfleet: no such name\n  did you mean: ${hint}\n`);
  });

  it('gives programs tabs, with the id of the row at the end', async () => {
    cli.server().on('GET /audit', listed(row()));
    expect((await cli.run(['audit', 'list'])).out).toBe(
      `2026-11-22T14:03:20.123Z\ttoken:ops\t192.0.2.7\taction.request\tfloppy\t1\tallowed\tCVE-2026-31431\t\t${hostId(1)}.0.7\n`,
    );
  });

  it('says when a row was changed, and when the log has an alarm', async () => {
    const alarm = { code: 'rolled_back', text: 'the database was rolled back', since: AS_OF };
    cli
      .server()
      .on(
        'GET /audit',
        json({ items: [row({ intact: false })], nextCursor: null, asOf: AS_OF, alarms: [alarm], freeze: null }),
      );
    const { err } = await cli.run(['audit', 'list']);
    expect(err).toContain('The audit log needs a look since 14:03: the database was rolled back');
    expect(err).toContain('1 row of these was changed, or not made by the server: modfleet audit verify');
  });
});

describe('audit verify', () => {
  const report: AuditReport = {
    intact: true,
    firstBadRow: null,
    problemCount: 0,
    problems: [],
    rows: 12,
    sealedRows: 10,
    unsealedRows: 2,
    unsealedAgeMs: 1400,
    seals: 3,
    lastSeal: { number: 3, at: AS_OF },
    exported: { seals: 3, last: 3 },
    macsChecked: true,
    appendOnly: { enforced: false, why: "the server's role postgres is a superuser" },
    proven: ['no row was changed'],
    notProven: ['anything against the keys'],
    publicKey: 'PEM',
    alarms: [],
    durationMs: 120,
  };
  const answers = (fields: Partial<AuditReport>) =>
    cli
      .server()
      .on(
        'GET /audit/verify',
        events({ event: 'progress', data: { rows: 5, of: 12 } }, { event: 'report', data: { ...report, ...fields } }),
      );

  it('says that it is whole, and what is proven and what is not', async () => {
    answers({});
    const { code, out } = await cli.run(['audit', 'verify']);
    expect(code).toBe(0);
    expect(out).toBe(`The audit log is whole, as far as it can be proven.

rows            12, 10 of them sealed
without a seal  2, the oldest for 1s
last seal       3, 14:03:22
exported        3 seals, compared
append-only     NOT enforced: the server's role postgres is a superuser
took            0.1 s

Proven:
  - no row was changed

Not proven:
  - anything against the keys
`);
  });

  it('names the first bad row, and exits 1', async () => {
    const problems = [
      { kind: 'row_changed' as const, row: 'r.0.4', seal: 2, text: 'row r.0.4 does not agree with its mac' },
    ];
    answers({ intact: false, firstBadRow: 'r.0.4', problemCount: 12, problems, proven: [] });
    const { code, out } = await cli.run(['audit', 'verify']);
    expect(code).toBe(1);
    expect(out).toContain(
      'The audit log is NOT whole: 12 problems.\n  row_changed: row r.0.4 does not agree with its mac\n  and 11 more\n\nfirst bad row   r.0.4\n',
    );
  });

  it('takes a stream that ends too early for no answer', async () => {
    cli.server().on('GET /audit/verify', events({ event: 'progress', data: { rows: 5, of: 12 } }));
    expect((await cli.run(['audit', 'verify'])).code).toBe(5);
  });
});
