import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { diskFaultSuite } from '../support/disk-fault-suite.ts';
import { pointRounds } from '../support/kill-points.ts';
import { KILL_CASES, killRounds } from '../support/kill-rounds.ts';
import { removePausePoints } from '../support/pause-points.ts';
import { LabFleet, lsmod } from '../support/lab-fleet.ts';
import { eventually } from '../support/wait.ts';

/** What goes wrong: server, database and host end in the middle of things. */
let lab: LabFleet;
const NAME = 'faults-61';

beforeAll(async () => {
  lab = await LabFleet.start([{ name: NAME, kind: 'fast', series: '6.1' }]);
});

afterAll(async () => {
  await lab?.stop();
});

it('loses no action when the server is killed right after it took it', async () => {
  const host = lab.host(NAME);
  await host.run('modprobe mf_hello');
  const id = await lab.post(NAME, 'reload', 'mf_hello', { expiresIn: 300 });
  await lab.fleet.stopServer('SIGKILL');
  await lab.fleet.startServer();
  expect((await lab.ended(id)).outcome).toBe('succeeded');
  await lab.connected(NAME);
  expect((await lab.act('unload', 'mf_hello', NAME)).action.outcome).toBe('succeeded');
});

it('keeps accepted actions while the database is away, and answers 503 with Retry-After', async () => {
  await lab.host(NAME).must('modprobe mf_hello');
  await lab.fleet.stopDatabase();
  const away = await eventually('the API says so', async () => {
    const answer = await lab.fleet.api('GET', '/api/v1/hosts');
    return answer.status === 503 ? answer : undefined;
  });
  expect(away.headers.get('retry-after')).not.toBeNull();
  expect(away.body['code']).toBe('database_unavailable');
  await lab.fleet.restartDatabase();
  await eventually('the API answers again', async () =>
    (await lab.fleet.api('GET', '/api/v1/hosts')).status === 200 ? true : undefined,
  );
  await lab.connected(NAME);
  expect((await lab.act('unload', 'mf_hello', NAME)).action.outcome).toBe('succeeded');
});

it('stops dispatch while the fleet is frozen, and says so', async () => {
  const frozen = await lab.fleet.modfleet('freeze', '--reason', 'a test');
  expect(frozen.code, frozen.stderr).toBe(0);
  const refused = await lab.fleet.modfleet('kmods', 'load', 'mf_hello', '--host', NAME);
  expect(refused.code).toBe(6);
  expect((await lab.fleet.api('GET', '/api/v1/hosts')).body['freeze']).not.toBeNull();
  expect((await lab.fleet.modfleet('thaw')).code).toBe(0);
  expect((await lab.act('load', 'mf_hello', NAME)).action.outcome).toBe('succeeded');
});

it('shows a paused host as silent or stale, never as fresh, and takes it back', async () => {
  const host = lab.host(NAME);
  await host.suspend();
  await eventually(
    'the host is not fresh',
    async () => {
      const seen = (await lab.fleet.api('GET', `/api/v1/hosts/${NAME}`)).body as { coverage: Record<string, string> };
      return seen.coverage['loaded'] !== 'fresh' || undefined;
    },
    180_000,
  );
  await host.resume();
  await lab.fresh(NAME);
});

it('takes actions for a host that is off: one expires and never runs, one runs when the host returns', async () => {
  const host = lab.host(NAME);
  const { bootId } = host;
  await host.powerOff();
  await lab.disconnected(NAME);
  const late = await lab.post(NAME, 'load', 'tun', { expiresIn: 5 });
  const patient = await lab.post(NAME, 'load', 'dummy', { expiresIn: 600 });
  expect((await lab.ended(late)).outcome).toBe('expired');
  await host.powerOn();
  expect(host.bootId).not.toBe(bootId);
  expect((await lab.ended(patient)).outcome).toBe('succeeded');
  const loaded = await lsmod(host);
  expect(loaded).toContain('dummy');
  expect(loaded).not.toContain('tun');
  expect((await lab.action(late)).outcome).toBe('expired');
});

/** Few rounds of what `npm run proof -- kills` does two hundred times. */
it('keeps the truth when agent or server is killed at random moments of a load, unload or reload', async () => {
  const seed = randomInt(1_000_000);
  const rounds = await killRounds({ lab, host: NAME, seed, rounds: KILL_CASES.length });
  // One round a case keeps CI short; `npm run proof -- kills` does the same a hundred times.
  expect(
    rounds.filter((round) => round.problems.length > 0),
    `seed ${seed}`,
  ).toEqual([]);
}, 1_200_000);

it('keeps the truth when the agent is killed right before or after a record or a step', async () => {
  const seed = randomInt(1_000_000);
  const rounds = await pointRounds({ lab, host: NAME, seed, rounds: 3 });
  await removePausePoints(lab.host(NAME));
  expect(
    rounds.filter((round) => round.problems.length > 0),
    `seed ${seed}`,
  ).toEqual([]);
});

// Last: it leaves the host with its state on a file system of its own, and with a stuck kmod.
diskFaultSuite(() => lab, NAME);
