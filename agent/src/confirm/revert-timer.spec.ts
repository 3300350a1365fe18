import { describe, expect, it } from 'vitest';
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
    await timer.disarm(ID);
    await timer.begin(ID, 'refused');
    expect(exec.runs.map(({ program, args }) => [program, args.find((one) => /revert/.test(one))])).toEqual([
      ['systemd-run', '--unit=modfleet-revert-5b8c1f00'],
      ['systemctl', 'modfleet-revert-5b8c1f00.timer'],
      ['systemd-run', '--unit=modfleet-revert-5b8c1f00-now'],
    ]);
    expect(exec.runs[0]?.args).toContain('--on-active=30s');
  });

  it('is not armed when systemd does not take it, or cannot be asked', async () => {
    const refusing = new FakeExec({
      'systemd-run': () => ({ ended: { kind: 'exited', code: 1 }, stderr: 'Failed to connect to bus\n' }),
    });
    expect(await new HostRevertTimer(SYSTEMD, refusing, '/s').arm(ID, 30)).toContain('Failed to connect to bus');
    expect(await new HostRevertTimer(SYSTEMD, new FakeExec(), '/s').obstacle()).toContain('systemd-run');
  });
});
