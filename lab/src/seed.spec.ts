import { describe, expect, it } from 'vitest';
import { machineId, seedFiles } from './seed.ts';

describe('seedFiles', () => {
  it('gives every host a name and a machine id of its own, and nothing of the agent unless there is one', () => {
    const files = seedFiles({ name: 'h1', agentConfig: 'mode: act\n' }, 'u1');
    expect(files.get('etc/hostname')?.content.toString()).toBe('h1\n');
    expect(files.get('etc/modfleet/agent.yaml')?.content.toString()).toBe('mode: act\n');
    expect([...files.keys()].filter((path) => path.includes('modfleet-agent') || path.includes('agent.mjs'))).toEqual(
      [],
    );
  });

  it('starts the agent as a service', () => {
    const unit = { content: Buffer.from('[Unit]\n'), mode: 0o644 };
    const agent = {
      files: new Map([['usr/lib/systemd/system/modfleet-agent.service', unit]]),
      enabledUnits: { 'modfleet-agent.service': 'multi-user.target' },
    };
    const files = seedFiles({ name: 'h1', agent }, 'u1');
    const link = files.get('etc/systemd/system/multi-user.target.wants/modfleet-agent.service');
    expect(link).toMatchObject({ link: true });
    expect(link?.content.toString()).toBe('/usr/lib/systemd/system/modfleet-agent.service');
    expect(files.get('usr/lib/systemd/system/modfleet-agent.service')).toBe(unit);
  });

  it('keeps the join string from everybody but root, as one line', () => {
    const join = seedFiles({ name: 'h1', joinString: ' mfj_a.b\n' }, 'u1').get('etc/modfleet/join');
    expect(join?.mode).toBe(0o600);
    expect(join?.content.toString()).toBe('mfj_a.b\n');
  });

  it('puts further files where the caller says', () => {
    const files = seedFiles({ name: 'h1', files: { '/etc/modprobe.d/00-x.conf': 'blacklist floppy\n' } }, 'u1');
    expect(files.get('etc/modprobe.d/00-x.conf')?.content.toString()).toBe('blacklist floppy\n');
  });
});

describe('machineId', () => {
  it('has the form systemd wants and differs between hosts', () => {
    expect(machineId('a')).toMatch(/^[0-9a-f]{32}$/);
    expect(machineId('a')).not.toBe(machineId('b'));
  });
});
