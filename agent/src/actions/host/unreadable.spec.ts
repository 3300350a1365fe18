import { Verb } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { NoExec } from '../../exec/node-exec.ts';
import type { MemoryNode } from '../../host/memory-host-files.ts';
import type { Question } from '../findings/facts.ts';
import { decide } from '../findings/verdict.ts';
import { ACT, aQuestion } from '../testing/builders.ts';
import { MODULES_6_1, virtioHost } from '../testing/trees.ts';
import { collectFacts } from './collect-facts.ts';

/** What cannot be read is not taken for nothing. */
async function verdict(question: Partial<Question>, tree: Record<string, MemoryNode>) {
  const asked = aQuestion(question);
  const sources = {
    files: virtioHost({ '/proc/1/fd/0': { link: '/dev/null' }, ...tree }),
    exec: new NoExec(),
    ownPaths: [],
    serverRoute: () => ({ remoteAddress: '10.0.2.2' }),
  };
  const { facts } = await collectFacts(sources, asked, undefined);
  return decide(asked, facts, ACT, []);
}

const idle = (kmod: string): Record<string, MemoryNode> => ({
  '/proc/modules': `${kmod} 16384 0 - Live 0x0\n${MODULES_6_1}`,
});

describe('switches of the kernel', () => {
  it.each([Verb.VERB_LOAD, Verb.VERB_UNLOAD, Verb.VERB_RELOAD] as const)('refuse every verb: %s', async (verb) => {
    const kmod = verb === Verb.VERB_LOAD ? 'tun' : 'dummy';
    const told = async (path: string, node: MemoryNode) => (await verdict({ verb, kmod }, { [path]: node })).decidedBy;
    expect(await told('/proc/sys/kernel/tainted', { errno: 'EIO' })).toBe('kernel_died');
    expect(await told('/proc/sys/kernel/tainted', 'what\n')).toBe('kernel_died');
    expect(await told('/proc/sys/kernel/modules_disabled', { errno: 'EACCES' })).toBe('modules_disabled');
  });
});

describe('disks in memory', () => {
  it.each<[string, string, MemoryNode]>([
    ['zram', '/sys/block', { errno: 'EIO' }],
    ['zram', '/sys/block/zram0/disksize', { errno: 'EACCES' }],
    ['zram', '/sys/block/zram0/disksize', 'much\n'],
    ['brd', '/sys/block/ram0/size', { errno: 'EIO' }],
  ])('%s may hold data: %s', async (kmod, path, node) => {
    const { decidedBy, findings } = await verdict({ kmod }, { ...idle(kmod), [path]: node });
    expect(decidedBy).toBe('protected');
    expect(findings[0]?.message).toContain('may hold data');
  });

  it('hold none where there is none', async () => {
    expect((await verdict({ kmod: 'zram' }, idle('zram'))).decidedBy).toBe('ok');
    expect((await verdict({ kmod: 'zram' }, { ...idle('zram'), '/sys/block/zram0/ro': '0\n' })).decidedBy).toBe('ok');
  });
});

describe('open files of processes that cannot be looked at', () => {
  const hidden: Record<string, MemoryNode> = { '/proc/42/fd': { errno: 'EACCES' } };
  const misc = { '/sys/class/misc/forgetful0/dev': '10:99\n' };

  it.each<[string, Record<string, MemoryNode>]>([
    ['tun', {}],
    ['forgetful', misc],
    ['vendor', { '/lib/modules/6.1.0-56-cloud-amd64/modules.alias': 'alias char-major-240-* vendor\n' }],
  ])('may be devices of %s', async (kmod, tree) => {
    const { decidedBy, findings } = await verdict({ kmod }, { ...idle(kmod), ...hidden, ...tree });
    expect(decidedBy).toBe('protected');
    expect(findings[0]?.evidence).toContainEqual({
      kind: 'unseen',
      value: 'open files of other users: not visible without root',
    });
    expect((await verdict({ kmod }, { ...idle(kmod), ...tree })).decidedBy).toBe('ok');
  });

  it('are none of a kmod without devices', async () => {
    expect((await verdict({ kmod: 'dummy' }, hidden)).decidedBy).toBe('ok');
  });

  it('are hidden too where /proc shows only our own', async () => {
    const files = virtioHost(idle('tun'));
    for (const path of files.nodes.keys()) if (path.startsWith('/proc/1/')) files.nodes.delete(path);
    const sources = { files, exec: new NoExec(), ownPaths: [], serverRoute: () => undefined };
    const { facts } = await collectFacts(sources, aQuestion({ kmod: 'tun' }), undefined);
    expect(facts.stakes.map((stake) => stake.kind)).toContain('data');
  });
});

describe('lines of modprobe', () => {
  const closed: Record<string, MemoryNode> = { '/etc/modprobe.d/x.conf': { errno: 'EIO' } };

  it.each<[string, Partial<Question>]>([
    ['a load', { verb: Verb.VERB_LOAD, kmod: 'tun' }],
    ['a reload', { verb: Verb.VERB_RELOAD, kmod: 'dummy' }],
    ['an unload', { kmod: 'dummy' }],
    ['the revert of a window', { kmod: 'virtio_net', confirmWindowSeconds: 120, overrides: ['route'] }],
  ])('that cannot be read refuse %s', async (_, question) => {
    const { allowed, decidedBy, findings } = await verdict(question, closed);
    expect([allowed, decidedBy]).toEqual([false, 'custom_command']);
    expect(findings[0]?.message).toContain('/etc/modprobe.d/x.conf cannot be read (EIO)');
  });

  it('of the kernel command line do not matter to what only unloads', async () => {
    const cmdline = { '/proc/cmdline': { errno: 'EIO' } };
    expect((await verdict({ kmod: 'dummy' }, cmdline)).decidedBy).toBe('ok');
    expect((await verdict({ kmod: 'dummy', verb: Verb.VERB_RELOAD }, cmdline)).decidedBy).toBe('custom_command');
  });

  it('are passed over where a link leads nowhere, as modprobe does', async () => {
    const dangling = { '/etc/modprobe.d/x.conf': { link: '/nowhere' } };
    expect((await verdict({ verb: Verb.VERB_LOAD, kmod: 'tun' }, dangling)).decidedBy).toBe('ok');
  });
});
