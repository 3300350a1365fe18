import { beforeAll, describe, expect, it } from 'vitest';
import type { LabHost } from '../../../lab/src/lab.ts';
import { type ActionSeen, type LabFleet, lsmod } from './lab-fleet.ts';
import { eventually } from './wait.ts';

const STATE = '/var/lib/modfleet';
const EXPIRES = { expiresIn: 300 };

const FAULTS = [
  {
    what: 'is full',
    reason: /ENOSPC|no space left/i,
    // A journal that is there may still grow to the end of its last page.
    begin: `rm -f ${STATE}/actions.journal; cat /dev/zero > ${STATE}/fill 2>/dev/null; true`,
    end: `rm -f ${STATE}/fill`,
  },
  {
    what: 'has no inodes left for a journal',
    reason: /ENOSPC|no space left/i,
    begin: `rm -f ${STATE}/actions.journal; i=0; while true 2>/dev/null > ${STATE}/i$i; do i=$((i+1)); done 2>/dev/null; true`,
    end: `rm -f ${STATE}/i[0-9]*`,
  },
  {
    what: 'is read-only',
    reason: /EROFS|read-only/i,
    begin: `mount -o remount,ro ${STATE}`,
    end: `mount -o remount,rw ${STATE}`,
  },
] as const;

/**
 * A host whose disk for its own state is full, has no inodes, or takes no writes; and an exit routine that hangs. Leaves the host so: it is the last
 * suite of one.
 */
export function diskFaultSuite(lab: () => LabFleet, name: string): void {
  const host = (): LabHost => lab().host(name);

  describe('the state folder', () => {
    // The state folder on a small file system of its own, so that a test can fill that one and nothing else.
    beforeAll(async () => {
      await host().agent('stop');
      await host().must(
        `cp -a ${STATE} /tmp/state && mount -t tmpfs -o size=256k,nr_inodes=64,mode=700 tmpfs ${STATE} && cp -a /tmp/state/. ${STATE}/`,
      );
      await host().agent('start');
      await lab().connected(name);
    });

    async function acted(verb: string, kmod: string): Promise<ActionSeen> {
      return lab().ended(await lab().post(name, verb, kmod, EXPIRES));
    }

    /** A helper that still holds the journal would give its space back after the disk was filled. The product's are the only Node.js here. */
    async function helperEnded(): Promise<void> {
      const resident = String(await host().agentPid());
      await eventually('no helper runs', async () => (await host().must('pidof node')) === resident || undefined);
    }

    /** What tells that the agent was neither restarted nor reconnected. */
    async function life(): Promise<string> {
      const log = await host().agentLog();
      return `pid ${await host().agentPid()}, connected ${log.split('"connected"').length - 1} times`;
    }

    describe.each(FAULTS)('a state folder that $what', (fault) => {
      it('refuses to act, says why, goes on reporting, and heals without a restart', async () => {
        await host().run('rmmod mf_hello');
        await helperEnded();
        const before = await life();
        await host().must(fault.begin);
        try {
          const refused = await acted('load', 'mf_hello');
          expect(refused).toMatchObject({ outcome: 'refused', result: { reasonCode: 'command_unkept' } });
          expect(refused.message).toMatch(fault.reason);
          expect(await lsmod(host())).not.toContain('mf_hello');
          // Reports go on: what somebody else loads is seen.
          await host().must('modprobe mf_hello');
          await eventually('the change is reported', async () =>
            (await lab().loadedKmods(name)).includes('mf_hello') ? true : undefined,
          );
        } finally {
          await host().must(fault.end);
        }
        expect((await acted('unload', 'mf_hello')).outcome).toBe('succeeded');
        expect(await life()).toBe(before);
      });
    });

    it('calls a hung exit stuck within 30 s, misses no heartbeat, and acts on another kmod', async () => {
      await host().must('modprobe mf_stuck_exit');
      const before = await life();
      const id = await lab().post(name, 'unload', 'mf_stuck_exit', EXPIRES);
      let fresh = true;
      const action = await eventually(
        'the action ended',
        async () => {
          const answer = await lab().fleet.api('GET', `/api/v1/hosts/${name}`);
          // A busy server that says 503 says nothing of the host.
          if (answer.status !== 200) return undefined;
          const seen = answer.body as { connected: boolean; coverage: Record<string, string> };
          fresh &&= seen.connected && seen.coverage['loaded'] === 'fresh';
          const now = await lab().action(id);
          return now.state === 'ended' ? now : undefined;
        },
        120_000,
      );
      const at = (state: string): number => Date.parse(action.timeline.find((line) => line.state === state)?.at ?? '');
      expect(action.outcome).toBe('stuck');
      expect(at('ended') - at('started')).toBeLessThanOrEqual(30_000);
      expect(fresh).toBe(true);
      expect((await acted('load', 'mf_hello')).outcome).toBe('succeeded');
      // The stuck one itself is not tried again.
      expect(await acted('unload', 'mf_stuck_exit')).toMatchObject({
        outcome: 'refused',
        verdict: { decidedBy: 'busy' },
      });
      expect(await life()).toBe(before);
    });
  });
}
