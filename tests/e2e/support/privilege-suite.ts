import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type ActionRequest, Outcome, UNSIGNED, Verb } from '@modfleet/proto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CourierWord, HelperWord } from '../../../agent/src/helper/wire/strict-codec.ts';
import { type Heard, HostileCourier } from './hostile-courier.ts';
import { type LabFleet, lsmod } from './lab-fleet.ts';
import { StolenKey } from './stolen-key.ts';

/** Lines of agent.yaml that a host for these tests has. */
export const PRIVILEGE_POLICY = ['policy:', '  deny: [tun]', '  protected: [mf_base]'] as const;

/** A helper's start and fifteen verdicts, emulated, on a loaded machine: half a minute when it is idle. It ends as soon as all is answered. */
const PATIENCE_MS = 240_000;
const TEST_LIMIT_MS = 900_000;

const submit = (request: ActionRequest): CourierWord => ({ $case: 'submit', value: request });

/** What was said of an action: a result's reason, or that it was not taken. */
function answerTo({ words }: Heard, { actionId }: ActionRequest): string | undefined {
  for (const word of words) {
    if (word.$case === 'rejected' && word.value.actionId === actionId) return 'rejected';
    if (word.$case === 'result' && word.value.actionId === actionId)
      return word.value.outcome === Outcome.OUTCOME_SUCCEEDED ? 'SUCCEEDED' : word.value.reasonCode;
  }
  return undefined;
}
const kinds = (words: readonly HelperWord[]): string[] => words.map((word) => word.$case);

/** A Debian with the agent's units as they are installed, and the agent's user in the hands of somebody else. */
export function privilegeSuite(lab: () => LabFleet, name: string): void {
  let courier: HostileCourier;
  let hostId: string;
  let key: StolenKey;

  const aRequest = (changes: Partial<ActionRequest> = {}): ActionRequest => ({
    actionId: randomUUID(),
    hostId,
    verb: Verb.VERB_LOAD,
    kmod: 'mf_hello',
    parameters: [],
    dryRun: false,
    expiresAtMs: Date.now() + 600_000,
    confirmWindowSeconds: 0,
    overrides: [],
    ...UNSIGNED,
    ...changes,
  });

  /** What was signed with the stolen key has numbers above the server's: the host would take nothing of the server any more. */
  const forgetNewest = (): Promise<string> => lab().host(name).must('rm /var/lib/modfleet-helper/newest-command.json');

  describe('processes', () => {
    it('may do what the checked-in list says, and nothing else', async () => {
      const check = JSON.parse(await lab().host(name).must('modfleet-agent check --json', { timeoutMs: 240_000 })) as {
        act: { can: boolean };
        processes: { kind: string; asListed: boolean; problems: string[] }[];
      };
      expect(check.processes.map(({ kind, problems }) => ({ kind, problems }))).toEqual([
        { kind: 'courier', problems: [] },
        { kind: 'helper', problems: [] },
        { kind: 'evidence', problems: [] },
      ]);
      expect(check.act.can).toBe(true);
    });

    it('the agent reports from its sandbox what root sees', async () => {
      await lab().fresh(name);
      const seen = await lab().fleet.modfleet('kmods', 'unload', 'virtio_blk', '--host', name, '--dry-run', '--watch');
      expect(seen.stdout + seen.stderr).toContain('virtio_blk carries /');
    });
  });

  describe('a courier that was taken over', () => {
    beforeAll(async () => {
      hostId = String((await lab().fleet.api('GET', `/api/v1/hosts/${name}`)).body['id']);
      courier = await HostileCourier.on(lab().host(name), hostId);
      key = await StolenKey.of(join(lab().fleet.folder, 'server'));
    });

    it(
      'gets nothing taken that the server has not signed',
      async () => {
        const before = await lsmod(lab().host(name));
        const forged = { ...(await key.sign(aRequest())), kmod: 'mf_base' };
        const cases = [aRequest(), aRequest({ verb: Verb.VERB_UNLOAD, kmod: 'mf_base' }), forged];
        const [heard] = await courier.say('act', [[await courier.open(), ...cases.map(submit)]], PATIENCE_MS);
        expect(cases.map((request) => heard && answerTo(heard, request))).toEqual(['rejected', 'rejected', 'rejected']);
        const asked = aRequest({ dryRun: true });
        const [looked] = await courier.say('evidence', [[await courier.open(), submit(asked)]], PATIENCE_MS);
        expect(looked && answerTo(looked, asked)).toBe('rejected');
        expect(await lsmod(lab().host(name))).toEqual(before);
      },
      TEST_LIMIT_MS,
    );

    it(
      'gets no kernel change by anything that host, policy or protection forbid, even with the key of the server',
      async () => {
        const before = await lsmod(lab().host(name));
        const done = await lab().act('load', 'mf_base', name);
        expect(done.action.outcome).toBe('succeeded');
        const replayed = aRequest({ actionId: done.action.id, kmod: 'mf_hello' });
        const cases: readonly (readonly [ActionRequest, string])[] = [
          [aRequest({ hostId: randomUUID() }), 'rejected'],
          [aRequest({ expiresAtMs: Date.now() - 60_000 }), 'expired'],
          [aRequest({ expiresAtMs: Date.now() + 48 * 3_600_000 }), 'rejected'],
          [aRequest({ kmod: 'tun' }), 'denied_by_host_policy'],
          [aRequest({ verb: Verb.VERB_UNLOAD, kmod: 'virtio_blk' }), 'protected'],
          [
            aRequest({ verb: Verb.VERB_UNLOAD, kmod: 'virtio_pci', confirmWindowSeconds: 30, overrides: ['route'] }),
            'protected',
          ],
          [aRequest({ verb: Verb.VERB_UNLOAD, kmod: 'mf_base' }), 'protected'],
          [aRequest({ confirmWindowSeconds: 5 }), 'rejected'],
          [aRequest({ overrides: ['storage'] }), 'rejected'],
          [aRequest({ kmod: '-r' }), 'rejected'],
          [aRequest({ kmod: '../../tmp/evil' }), 'rejected'],
          [aRequest({ parameters: ['x=1 ; reboot'] }), 'rejected'],
          [aRequest({ actionId: 'not-a-uuid' }), 'rejected'],
          [aRequest({ verb: 77 as Verb }), 'rejected'],
          [replayed, 'id_conflict'],
        ];
        const signed = [];
        for (const [request] of cases) signed.push(submit(await key.sign(request)));
        const speech = [await courier.open(), ...signed];
        const [heard] = await courier.say('act', [speech], PATIENCE_MS);
        expect(cases.map(([request]) => heard && answerTo(heard, request))).toEqual(cases.map(([, answer]) => answer));
        await forgetNewest();
        expect(await lsmod(lab().host(name))).toEqual([...before, 'mf_base'].sort());
      },
      TEST_LIMIT_MS,
    );

    it(
      'gets none by frames that are none, by the helper that only looks, or by a hundred connections',
      async () => {
        const before = await lsmod(lab().host(name));
        const huge = Buffer.alloc(1024);
        huge.writeUInt32BE(0x7fffffff, 0);
        const [garbage, tooLong, before_, otherHost, otherProtocol] = [
          [randomBytes(4_000)],
          [huge],
          [submit(aRequest())],
          [await courier.open({ hostId: randomUUID() }), submit(aRequest())],
          [await courier.open({ protocol: 99 }), submit(aRequest())],
        ];
        for (const speech of [garbage, tooLong, before_, otherHost, otherProtocol]) {
          const [heard] = await courier.say('act', [speech], PATIENCE_MS);
          expect(kinds(heard?.words ?? [])).toEqual(['refused']);
        }
        const acting = aRequest();
        const [looked] = await courier.say('evidence', [[await courier.open(), submit(acting)]], PATIENCE_MS);
        expect(looked && answerTo(looked, acting)).toBe('rejected');
        const flood = await courier.say(
          'act',
          Array.from({ length: 100 }, () => [randomBytes(64)]),
          PATIENCE_MS,
        );
        expect(flood.filter(({ words }) => words.some((word) => word.$case !== 'refused'))).toEqual([]);
        expect(await lsmod(lab().host(name))).toEqual(before);
      },
      TEST_LIMIT_MS,
    );

    it(
      'gets none where the mode is observe, or where it could write the settings',
      async () => {
        const host = lab().host(name);
        const before = await lsmod(host);
        const settings = await host.must('cat /etc/modfleet/agent.yaml');
        await host.writeFile('/etc/modfleet/agent.yaml', `${settings.replace('mode: act', 'mode: observe')}\n`);
        const observed = await key.sign(aRequest());
        const [heard] = await courier.say('act', [[await courier.open(), submit(observed)]], PATIENCE_MS);
        expect(heard && answerTo(heard, observed)).toBe('denied_by_host_policy');
        await host.writeFile('/etc/modfleet/agent.yaml', `${settings}\n`);
        await host.must('chown modfleet /etc/modfleet/agent.yaml');
        const [unsafe] = await courier.say('act', [[await courier.open(), submit(aRequest())]], PATIENCE_MS);
        expect(unsafe?.words).toMatchObject([{ $case: 'refused', value: { code: 'unsafe_settings' } }]);
        await host.must('chown root /etc/modfleet/agent.yaml');
        await forgetNewest();
        expect(await lsmod(host)).toEqual(before);
      },
      TEST_LIMIT_MS,
    );

    it('leaves a helper that works for whoever speaks for the server', async () => {
      const done = await lab().actInTurn(name, [
        { verb: 'load', kmod: 'mf_hello' },
        { verb: 'unload', kmod: 'mf_hello' },
      ]);
      expect(done.map((one) => one.outcome)).toEqual(['succeeded', 'succeeded']);
    });
  });
}
