import { describe, expect, it } from 'vitest';
import { healthProblems, type HostHealth } from './health.rules.ts';

const before: HostHealth = {
  bootId: 'one',
  taint: 4096,
  oopsCount: 0,
  warnCount: 2,
  links: ['eth0 up', 'eth1 down', 'lo unknown'],
  mounts: ['/dev/vda1 / ext4', 'tank /srv xfs'],
};
const looked = (now: Partial<HostHealth>, presence: 'loaded' | 'absent' | null = 'absent') =>
  healthProblems({ before, now: { ...before, ...now }, presence, wants: 'unloaded' }).map(
    ({ what, detail }) => `${what}: ${detail}`,
  );

describe('health of a host after its wave', () => {
  it('as before: nothing', () => {
    expect(looked({ links: ['eth0 up', 'eth1 up', 'lo unknown'], mounts: [...before.mounts, 'more /m ext4'] })).toEqual(
      [],
    );
  });

  it.each<[string, Partial<HostHealth>, string]>([
    ['taint', { taint: 4096 + 512 }, "taint: the kernel's taint went from 4096 to 4608: the kernel has warned"],
    ['oops', { oopsCount: 1 }, 'oops: 1 more since the action (0 before, 1 now)'],
    ['warning', { warnCount: 5 }, 'warning: 3 more since the action (2 before, 5 now)'],
    ['link', { links: ['eth0 down', 'eth1 down'] }, 'link: eth0 is not up any more'],
    ['mount', { mounts: ['/dev/vda1 / ext4'] }, 'mount: tank /srv xfs is not mounted any more'],
    ['boot', { bootId: 'two', taint: 0, mounts: [] }, 'restarted: the host was started again since'],
  ])('%s', (_name, now, problem) => {
    expect(looked(now)).toEqual([problem]);
  });

  it('somebody loaded it again', () => {
    expect(looked({}, 'loaded')).toEqual(['loaded_again: it is loaded again, and no action of this rollout did that']);
    expect(
      healthProblems({ before, now: before, presence: 'absent', wants: 'loaded' }).map(({ what }) => what),
    ).toEqual(['unloaded_again']);
  });

  it('what the host cannot say is no problem, and no health either', () => {
    expect(healthProblems({ before: null, now: null, presence: null, wants: 'unloaded' })).toEqual([]);
    expect(looked({ oopsCount: null })).toEqual([]);
  });
});
