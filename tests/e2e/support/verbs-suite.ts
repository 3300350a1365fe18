import { join } from 'node:path';
import { Outcome, type UndoStep, Verb } from '@modfleet/proto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ActionAsked, type ActionSeen, type LabFleet, lsmod } from './lab-fleet.ts';
import { OwnHelper } from './own-helper.ts';
import { eventually } from './wait.ts';

const KMOD = 'mf_hello';
const LIST = `/etc/modules-load.d/modfleet-${KMOD}.conf`;
const FOLDER = `/sys/module/${KMOD}/parameters`;

/** A helper of its own for each, emulated. */
const HELPER_LIMIT_MS = 600_000;

/** What makes a host load something at boot, what sets values, and what puts all of it back, on a real kernel. The tests build on each other. */
export function verbsSuite(lab: () => LabFleet, name: string): void {
  describe('what lasts, what is set, and what is put back', () => {
    let helper: OwnHelper;
    /** Of the last unload. */
    let undo: UndoStep[] = [];

    const ask = async (...asked: ActionAsked[]): Promise<ActionSeen[]> => lab().actInTurn(name, asked);
    const value = (parameter: string): Promise<string> => lab().host(name).must(`cat ${FOLDER}/${parameter}`);
    const hasList = async (): Promise<boolean> => (await lab().host(name).run(`test -e ${LIST}`)).code === 0;

    beforeAll(async () => {
      const hostId = String((await lab().fleet.api('GET', `/api/v1/hosts/${name}`)).body['id']);
      helper = await OwnHelper.on(lab().host(name), hostId, join(lab().fleet.folder, 'server'));
    });

    it('ensure_loaded loads it and lists it for the next boot; a second one changes nothing', async () => {
      const asked = { verb: 'ensure_loaded', kmod: KMOD, parameters: { times: '7' } } as const;
      const [first, second] = await ask(asked, asked);
      expect([first?.outcome, second?.outcome], first?.message ?? '').toEqual(['succeeded', 'unchanged']);
      expect(first?.verdict?.plan.map((step) => step.kind)).toEqual(['modprobe', 'persist']);
      expect(first?.result?.undo.map((step) => step.kind)).toEqual(['unpersist', 'unload']);
      expect(await lsmod(lab().host(name))).toContain(KMOD);
      expect(await lab().host(name).must(`tail -n 1 ${LIST}; stat -c %a ${LIST}; ls /etc/modules-load.d`)).toBe(
        `${KMOD}\n644\nmodfleet-${KMOD}.conf`,
      );
    });

    it('says how the host was before', async () => {
      const [action] = await ask({ verb: 'set_parameters', kmod: KMOD, parameters: { times: '8' } });
      const health = action?.result?.healthBefore;
      expect(health).toMatchObject({ oopsCount: 0, warnCount: expect.any(Number) as number });
      expect(health?.links).toContainEqual(expect.stringMatching(/^\w+ up$/));
      expect(health?.mounts).toContainEqual(expect.stringMatching(/ \/ \w+$/));
      expect(health?.bootId).toBe(await lab().host(name).must('cat /proc/sys/kernel/random/boot_id'));
    });

    it('set_parameters writes values that can be written, and knows the former ones', async () => {
      const [set, again, fixed] = await ask(
        { verb: 'set_parameters', kmod: KMOD, parameters: { loud: '1', times: '9' } },
        { verb: 'set_parameters', kmod: KMOD, parameters: { loud: 'Y', times: '0x9' } },
        { verb: 'set_parameters', kmod: KMOD, parameters: { times: '1', whom: 'you' } },
      );
      expect([set?.outcome, again?.outcome, fixed?.verdict?.decidedBy], set?.message ?? '').toEqual([
        'succeeded',
        'unchanged',
        'parameter_not_writable',
      ]);
      expect(set?.result?.undo).toEqual([{ kind: 'set_parameters', kmod: KMOD, parameters: ['loud=N', 'times=8'] }]);
      expect([await value('loud'), await value('times')]).toEqual(['Y', '9']);
      await eventually('the values are in the answer', async () => {
        const page = (await lab().fleet.api('GET', `/api/v1/hosts/${name}/kmods?name=${KMOD}`)).body as {
          items: { parameters: Record<string, string | null> }[];
        };
        return page.items[0]?.parameters['times'] === '9' || undefined;
      });
    });

    it('writes nothing where one of the values is none that the kernel takes', async () => {
      const [action] = await ask({
        verb: 'set_parameters',
        kmod: KMOD,
        parameters: { loud: '0', times: '99999999999' },
      });
      expect(action?.verdict?.decidedBy).toBe('parameter_invalid');
      expect([await value('loud'), await value('times')]).toEqual(['Y', '9']);
    });

    it('ensure_unloaded takes the list away, unloads, and knows the values that it had', async () => {
      await lab().host(name).must(`cp ${LIST} /tmp/list; echo '# mine' >>${LIST}`);
      const [foreign] = await ask({ verb: 'ensure_unloaded', kmod: KMOD });
      expect(foreign?.verdict?.decidedBy).toBe('persistence_foreign');
      await lab().host(name).must(`cp /tmp/list ${LIST}`);
      const [action, again] = await ask(
        { verb: 'ensure_unloaded', kmod: KMOD },
        { verb: 'ensure_unloaded', kmod: KMOD },
      );
      expect([action?.outcome, again?.outcome], action?.message ?? '').toEqual(['succeeded', 'unchanged']);
      expect([await hasList(), (await lsmod(lab().host(name))).includes(KMOD)]).toEqual([false, false]);
      undo = [...(action?.result?.undo ?? [])].map(({ kind, kmod, parameters }) => ({
        kind,
        kmod,
        parameters: [...parameters],
      }));
      expect(undo.map((step) => step.kind)).toEqual(['load', 'persist']);
      expect(undo[0]?.parameters).toEqual(
        expect.arrayContaining(['loud=Y', 'times=9', 'whom=world', 'greeting=hello']),
      );
    });

    it(
      'a plan that was not approved is refused as drifted, and nothing is touched',
      async () => {
        const drifted = await helper.act({ approvedPlans: [Buffer.alloc(32, 7)] });
        expect([drifted.outcome, drifted.reasonCode], drifted.message).toEqual([Outcome.OUTCOME_REFUSED, 'drifted']);
        expect(drifted.verdict?.findings[0]?.evidence).toEqual([{ kind: 'step', value: `modprobe ${KMOD}` }]);
        expect(await lsmod(lab().host(name))).not.toContain(KMOD);
        const approved = [Buffer.from(drifted.verdict?.digest ?? [])];
        const dry = await helper.act({ approvedPlans: approved, dryRun: true });
        expect([dry.outcome, dry.reasonCode], dry.message).toEqual([Outcome.OUTCOME_SUCCEEDED, '']);
      },
      HELPER_LIMIT_MS,
    );

    it(
      'a restore brings it back with its values and its list, and once more is unchanged',
      async () => {
        const restored = await helper.act({ verb: Verb.VERB_RESTORE, undo });
        expect([restored.outcome, restored.message]).toEqual([Outcome.OUTCOME_SUCCEEDED, expect.any(String)]);
        expect([await value('loud'), await value('times'), await hasList()]).toEqual(['Y', '9', true]);
        const again = await helper.act({ verb: Verb.VERB_RESTORE, undo });
        expect(again.outcome, again.message).toBe(Outcome.OUTCOME_UNCHANGED);
        const back = await helper.act({ verb: Verb.VERB_RESTORE, undo: restored.undo });
        expect(back.outcome, back.message).toBe(Outcome.OUTCOME_SUCCEEDED);
        expect([await hasList(), (await lsmod(lab().host(name))).includes(KMOD)]).toEqual([false, false]);
      },
      HELPER_LIMIT_MS,
    );
  });
}
