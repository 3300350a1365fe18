import { describe, expect, it } from 'vitest';
import { FakeExec } from '../../exec/fake-exec.ts';
import type { ExecResult } from '../../exec/exec.ts';
import { MemoryHostFiles } from '../../host/memory-host-files.ts';
import { MemoryHostWrites } from '../../host/memory-host-writes.ts';
import { putBack, type PutBackRights } from './put-back.ts';
import { checkSnapshot, readSnapshot } from './read-snapshot.ts';
import { aLink, aSnapshot } from './testing/builders.ts';

const ALL: PutBackRights = { kmods: 'all', network: true };
const line = (name: string, state = 'Live'): string => `${name} 16384 0 - ${state} 0x0000000000000000\n`;
const failed = (code: number, stderr: string): Partial<ExecResult> => ({ ended: { kind: 'exited', code }, stderr });

/** A host whose time passes only while it is waited for, and of which a test says what its programs do. */
function aHost(
  modules: string,
  programs: {
    ip?: (args: readonly string[]) => Partial<ExecResult>;
    modprobe?: (args: readonly string[], files: MemoryHostFiles) => void;
    rmmod?: (name: string, files: MemoryHostFiles) => void;
  } = {},
) {
  const files = new MemoryHostFiles({ '/proc/modules': modules, '/proc/net/if_inet6': '' });
  const exec = new FakeExec({
    ip: programs.ip ?? (() => ({ stdout: '[]' })),
    modprobe: (args) => {
      programs.modprobe?.(args, files);
      return {};
    },
    rmmod: ([name = '']) => {
      programs.rmmod?.(name, files);
      return {};
    },
  });
  let nowMs = 0;
  const later: { atMs: number; run: () => void }[] = [];
  const sleep = async (ms: number): Promise<void> => {
    nowMs += ms;
    for (const one of later) if (one.atMs <= nowMs) one.run();
  };
  return {
    files,
    exec,
    after: (ms: number, run: () => void) => later.push({ atMs: ms, run }),
    ports: { files, exec, settings: { write: async () => true }, clock: { nowMs: () => nowMs }, sleep },
    nowMs: () => nowMs,
    ran: (program: string) => exec.runs.filter((one) => one.program === program).map((one) => one.args.join(' ')),
  };
}

const loaded = (name: string, parameters: [string, string][] = []) => ({ name, loaded: true, parameters });

/** modprobe as a kernel has it: the values given, the usual ones for the rest; refuses what is asked to be refused. */
function loads(usual: Record<string, string>, refuses: (given: readonly string[]) => boolean = () => false) {
  return ([, name = '', ...given]: readonly string[], files: MemoryHostFiles): void => {
    if (refuses(given)) return;
    files.nodes.set('/proc/modules', line(name));
    const values = { ...usual, ...Object.fromEntries(given.map((one) => one.split('='))) } as Record<string, string>;
    for (const [key, value] of Object.entries(values))
      files.nodes.set(`/sys/module/${name}/parameters/${key}`, `${value}\n`);
  };
}
const unloads = (name: string, files: MemoryHostFiles): void => {
  files.nodes.set('/proc/modules', '');
  for (const path of files.nodes.keys()) if (path.startsWith(`/sys/module/${name}/`)) files.nodes.delete(path);
};

describe('a kmod', () => {
  it('with a changed parameter is loaded with all that are recorded, not with that one alone', async () => {
    const host = aHost(line('drv'), { modprobe: loads({ a: '0', b: '0' }), rmmod: unloads });
    host.files.nodes.set('/sys/module/drv/parameters/a', '5\n');
    host.files.nodes.set('/sys/module/drv/parameters/b', '2\n');
    const before = aSnapshot({
      kmods: [
        loaded('drv', [
          ['a', '1'],
          ['b', '2'],
        ]),
      ],
    });
    const report = await putBack(host.ports, before, ALL);
    expect(host.ran('modprobe')).toEqual(['-- drv a=1 b=2']);
    expect(report).toEqual({ restored: ['parameter drv.a: was 1'], missing: [] });
  });

  it('with a changed parameter that can be written stays, and gets its value back', async () => {
    const host = aHost(line('drv'), { rmmod: unloads });
    host.files.nodes.set('/sys/module/drv/parameters/a', '5\n');
    const writes = new MemoryHostWrites(host.files);
    const before = aSnapshot({ kmods: [loaded('drv', [['a', '1']])] });
    const report = await putBack({ ...host.ports, writes }, before, ALL);
    expect(report).toEqual({ restored: ['parameter drv.a: was 1'], missing: [] });
    expect([writes.calls, host.ran('rmmod')]).toEqual([['drv a=1'], []]);
  });

  it('that is built in gets its value back, or is reported', async () => {
    const host = aHost('');
    host.files.nodes.set('/sys/module/core/parameters/a', '5\n');
    const before = aSnapshot({ kmods: [{ name: 'core', loaded: false, parameters: [['a', '1']] }] });
    expect((await putBack(host.ports, before, ALL)).missing).toEqual(['parameter core.a: was 1, is 5']);
    const writes = new MemoryHostWrites(host.files);
    expect((await putBack({ ...host.ports, writes }, before, ALL)).missing).toEqual([]);
    expect(host.ran('modprobe')).toEqual([]);
  });

  it('that refuses a value it shows is loaded with those that it needs', async () => {
    const refusesC = (given: readonly string[]): boolean => given.some((one) => one.startsWith('c='));
    const host = aHost('', { modprobe: loads({ a: '0', b: '0', c: '7' }, refusesC), rmmod: unloads });
    const before = aSnapshot({
      kmods: [
        loaded('drv', [
          ['a', '1'],
          ['b', '0'],
          ['c', '7'],
        ]),
      ],
    });
    const report = await putBack(host.ports, before, ALL);
    expect(host.ran('modprobe')).toEqual(['-- drv a=1 b=0 c=7', '-- drv', '-- drv a=1']);
    expect(report).toEqual({ restored: ['kmod drv'], missing: [] });
  });

  it('that needs several values and refuses one is loaded with the others, and that one is reported', async () => {
    const refuses = (given: readonly string[]): boolean => given.includes('b=9');
    const host = aHost('', { modprobe: loads({ a: '0', b: '0', c: '0' }, refuses), rmmod: unloads });
    const parameters: [string, string][] = [
      ['a', '1'],
      ['b', '9'],
      ['c', '3'],
    ];
    const report = await putBack(host.ports, aSnapshot({ kmods: [loaded('drv', parameters)] }), ALL);
    expect(host.ran('modprobe').at(-1)).toBe('-- drv a=1 c=3');
    expect(report).toEqual({ restored: ['kmod drv'], missing: ['parameter drv.b: was 9, is 0'] });
  });

  it('that takes none of them is there with its usual ones, and the difference is reported', async () => {
    const host = aHost('', { modprobe: loads({ a: '0' }, (given) => given.length > 0), rmmod: unloads });
    const report = await putBack(host.ports, aSnapshot({ kmods: [loaded('drv', [['a', '1']])] }), ALL);
    expect(report).toEqual({ restored: ['kmod drv'], missing: ['parameter drv.a: was 1, is 0'] });
  });

  it('whose exit routine has not returned is not there; it is waited for and loaded', async () => {
    const host = aHost(line('drv', 'Unloading'), { modprobe: loads({}) });
    host.after(40_000, () => {
      if (host.ran('modprobe').length === 0) host.files.nodes.set('/proc/modules', '');
    });
    const report = await putBack(host.ports, aSnapshot({ kmods: [loaded('drv')] }), ALL);
    expect(report).toEqual({ restored: ['kmod drv'], missing: [] });
    expect(host.ran('modprobe')).toEqual(['-- drv']);
  });

  it('whose exit routine never returns is reported in time, and not loaded', async () => {
    const host = aHost(line('drv', 'Unloading'), { modprobe: loads({}) });
    const report = await putBack(host.ports, aSnapshot({ kmods: [loaded('drv')] }), ALL);
    expect(report).toEqual({ restored: [], missing: ['kmod drv is still unloading'] });
    expect(host.ran('modprobe')).toEqual([]);
    expect(host.nowMs()).toBeLessThan(60_000);
  });

  it('does not hold up the others', async () => {
    const host = aHost(line('drv', 'Unloading'), {
      modprobe: ([, name = ''], files) => files.nodes.set('/proc/modules', line('drv', 'Unloading') + line(name)),
    });
    const before = aSnapshot({ kmods: [loaded('drv'), loaded('other')] });
    const report = await putBack(host.ports, before, ALL);
    expect(report).toEqual({ restored: ['kmod other'], missing: ['kmod drv is still unloading'] });
  });

  it('that is going away when the snapshot is taken is not loaded', async () => {
    const { files, exec } = aHost(line('drv', 'Unloading'));
    expect((await readSnapshot(files, exec, ['drv'])).kmods).toEqual([
      { name: 'drv', loaded: false, halfway: 'unloading', parameters: [] },
    ]);
  });
});

describe('a host without IPv6', () => {
  const ip = (args: readonly string[]): Partial<ExecResult> =>
    args.join(' ') === '-6 -j rule show'
      ? failed(255, 'RTNETLINK answers: Address family not supported by protocol\nDump terminated')
      : { stdout: '[]' };

  it('has no rules and routes of it, and a snapshot', async () => {
    const { files, exec } = aHost('', { ip });
    await checkSnapshot(files, exec);
    expect((await readSnapshot(files, exec, [])).rules).toEqual([]);
  });
});

describe('what cannot be read', () => {
  const ip = (args: readonly string[]): Partial<ExecResult> =>
    args.join(' ') === '-6 -j rule show' ? failed(1, 'no memory') : { stdout: '[]' };

  it('is no snapshot, and the check before says so', async () => {
    const { files, exec } = aHost('', { ip });
    await expect(readSnapshot(files, exec, [])).rejects.toThrow('ip -6 -j rule show gave no JSON (exit 1: no memory)');
    await expect(checkSnapshot(files, exec)).rejects.toThrow('ip -6 -j rule show');
  });

  it('does not keep a revert from the rest, and is reported', async () => {
    const host = aHost('', { ip });
    const route = { family: 'inet' as const, words: ['default', 'via', '192.0.2.1'], strange: [] };
    const rule = { family: 'inet6' as const, words: ['priority', '9', 'table', '9'], strange: [] };
    const report = await putBack(host.ports, aSnapshot({ routes: [route], rules: [rule] }), ALL);
    expect(host.ran('ip')).toContain('route replace default via 192.0.2.1');
    expect(report.missing).toEqual([
      expect.stringMatching(/^not known: .*ip -6 -j rule show/),
      'route default via 192.0.2.1',
    ]);
  });
});

it('what was put back and can no longer be looked at is not called restored', async () => {
  let repaired = false;
  const host = aHost('', {
    ip: (args) => {
      repaired ||= args.includes('replace');
      return repaired && args.includes('-j') ? failed(1, 'no memory') : { stdout: '[]' };
    },
  });
  const route = { family: 'inet' as const, words: ['default', 'via', '192.0.2.1'], strange: [] };
  const report = await putBack(host.ports, aSnapshot({ routes: [route] }), ALL);
  expect(report.restored).toEqual([]);
  expect(report.missing[0]).toMatch(/^not known: /);
});

describe('the network', () => {
  it('waits between passes: an address may not be one to send from yet', async () => {
    let added = false;
    const json =
      '[{"dst":"2001:db8:9::/64","gateway":"2001:db8:1::1","dev":"va","prefsrc":"2001:db8:1::3","pref":"medium"}]';
    const host = aHost('', {
      ip: (args) => {
        if (args.includes('replace')) {
          // After duplicate address detection; nobody else brings it back before.
          if (host.nowMs() < 8_500) return failed(2, 'Error: Invalid source address.');
          added = true;
        }
        return { stdout: added && args.join(' ') === '-6 -j route show table all' ? json : '[]' };
      },
    });
    const words = '2001:db8:9::/64 via 2001:db8:1::1 dev va src 2001:db8:1::3'.split(' ');
    const report = await putBack(host.ports, aSnapshot({ routes: [{ family: 'inet6', words, strange: [] }] }), ALL);
    expect(report.missing).toEqual([]);
  });

  it('waits for rules of others too, so that they are not there twice', async () => {
    const json = '[{"priority":100,"src":"all","table":"100"}]';
    const host = aHost('', {
      ip: (args) => ({ stdout: host.nowMs() >= 2_000 && args.join(' ') === '-j rule show' ? json : '[]' }),
    });
    const rule = { family: 'inet' as const, words: 'priority 100 from all table 100'.split(' '), strange: [] };
    expect(await putBack(host.ports, aSnapshot({ rules: [rule] }), ALL)).toEqual({ restored: [], missing: [] });
    expect(host.ran('ip')).not.toContain('rule add priority 100 from all table 100');
  });

  it('gives a link its options one by one where the kernel refuses them together', async () => {
    const host = aHost('', {
      ip: (args) => (args.includes('miimon') && args[1] === 'add' ? failed(2, 'no') : { stdout: '[]' }),
    });
    const traits: [string, string][] = [
      ['mode', 'active-backup'],
      ['miimon', '100'],
    ];
    const options = ['mode', 'active-backup', 'miimon', '100'];
    const link = aLink('bond0', { kind: 'bond', index: 5, mac: '', traits, options });
    await putBack(host.ports, aSnapshot({ links: [link] }), ALL);
    const made = host
      .ran('ip')
      .filter((one) => one.startsWith('link'))
      .slice(0, 3);
    expect(made).toEqual([
      'link add name bond0 type bond mode active-backup miimon 100',
      'link add name bond0 type bond mode active-backup',
      'link set dev bond0 type bond miimon 100',
    ]);
  });
});
