import { describe, expect, it } from 'vitest';
import type { ExecResult } from '../exec/exec.ts';
import { FakeExec } from '../exec/fake-exec.ts';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import { HostRevertTimer } from './revert-timer.ts';

const ID = '5b8c1f00-0000-4000-8000-000000000000';
const SYSTEMD = new MemoryHostFiles({ '/run/systemd/system/x': '' });

describe('the timer of a confirm window, with systemd', () => {
  it('is a transient unit that the door lets pass, and is disarmed by its name', async () => {
    const exec = new FakeExec({ 'systemd-run': () => ({}), systemctl: () => ({}) });
    const timer = new HostRevertTimer(SYSTEMD, exec, '/var/lib/modfleet-helper');
    expect(await timer.obstacle()).toBeUndefined();
    expect(await timer.arm(ID, 30)).toBeUndefined();
    expect(await timer.disarm(ID)).toBeUndefined();
    await timer.begin(ID, 'refused');
    await timer.begin(ID, 'no_server');
    expect(exec.runs.map(({ program, args }) => [program, args.find((one) => /revert/.test(one))])).toEqual([
      ['systemd-run', '--unit=modfleet-revert-5b8c1f00'],
      ['systemctl', 'modfleet-revert-5b8c1f00.timer'],
      ['systemd-run', `--unit=modfleet-revert-5b8c1f00-now-${process.pid}-1`],
      ['systemd-run', `--unit=modfleet-revert-5b8c1f00-now-${process.pid}-2`],
    ]);
    expect(exec.runs[0]?.args).toContain('--on-active=30s');
    for (const { program, args } of exec.runs.filter((run) => run.program === 'systemd-run')) {
      expect(args, program).toEqual(expect.arrayContaining(['--property=Restart=on-failure', '--action', ID]));
    }
  });

  it('is known to be disarmed when there is none, and not known when systemd does not say', async () => {
    const disarmed = (result: Partial<ExecResult>) =>
      new HostRevertTimer(SYSTEMD, new FakeExec({ systemctl: () => result }), '/s').disarm(ID);
    expect(await disarmed({ ended: { kind: 'exited', code: 5 } })).toBeUndefined();
    expect(await disarmed({ ended: { kind: 'exited', code: 1 }, stderr: 'no bus\n' })).toBe('no bus');
    expect(await disarmed({ ended: { kind: 'timed_out', reaped: true } })).toContain('no answer');
  });

  it('is not armed when systemd does not take it, or cannot be asked', async () => {
    const refusing = new FakeExec({
      'systemd-run': () => ({ ended: { kind: 'exited', code: 1 }, stderr: 'Failed to connect to bus\n' }),
    });
    expect(await new HostRevertTimer(SYSTEMD, refusing, '/s').arm(ID, 30)).toContain('Failed to connect to bus');
    expect(await new HostRevertTimer(SYSTEMD, new FakeExec(), '/s').obstacle()).toContain('systemd-run');
  });
});
