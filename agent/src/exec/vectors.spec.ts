import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeExec } from './fake-exec.ts';
import { NodeExec } from './node-exec.ts';
import { PROGRAM_NAMES } from './programs.ts';
import { ReadOnlyExec } from './read-only-exec.ts';
import { shapeOf, VECTORS } from './vectors.ts';

const LIMIT = { timeoutMs: 5_000 };

describe('argument vectors', () => {
  it('are declared for what the agent does', () => {
    expect(shapeOf('modprobe', ['--', 'floppy'])?.effect).toBe('changes');
    expect(shapeOf('modprobe', ['--', 'mf_hello', 'times=3', 'greeting=-v'])?.effect).toBe('changes');
    expect(shapeOf('rmmod', ['floppy'])?.effect).toBe('changes');
    expect(shapeOf('ip', ['-d', '-j', 'addr', 'show'])?.effect).toBe('reads');
    expect(shapeOf('ip', ['-6', '-o', 'route', 'show', 'table', 'all'])?.effect).toBe('reads');
    expect(shapeOf('ip', ['link', 'del', 'dev', 'bond0'])?.effect).toBe('changes');
    const targets = Array.from({ length: 16 }, (_, at) => `192.168.100.${100 + at}`).join(',');
    const monitored = ['type', 'bond', 'mode', 'active-backup', 'arp_interval', '1000', 'arp_ip_target', targets];
    expect(shapeOf('ip', ['link', 'add', 'name', 'bond0', ...monitored])?.effect).toBe('changes');
  });

  it.each([
    ['modprobe', ['floppy']],
    ['modprobe', ['-r', 'floppy']],
    ['modprobe', ['--', '-r']],
    ['modprobe', ['--', 'floppy', '--force']],
    ['modprobe', ['--', 'floppy', 'a=b c']],
    ['modprobe', ['--', 'floppy', '/etc/passwd']],
    ['rmmod', ['-f', 'floppy']],
    ['rmmod', ['floppy', 'loop']],
    ['rmmod', ['floppy\0']],
    ['rmmod', []],
    ['ip', ['link', 'del', 'dev', '-all']],
    ['ip', ['link', 'del', 'dev', 'bond0', 'type', 'bond']],
    ['ip', ['route', 'del', 'default']],
    ['ip', ['route', 'flush', 'table', 'all']],
    ['dmesg', ['--clear']],
    ['dmsetup', ['remove_all']],
    ['flock', ['-n', '/var/lib/modfleet-helper/revert.lock', 'sh']],
    ['flock', ['-n', 'revert.lock', 'cat']],
    ['flock', ['-u', '/var/lib/modfleet-helper/revert.lock', 'cat']],
    ['systemd-run', ['sh']],
  ] as const)('refuse %s %j', (program, args) => {
    expect(shapeOf(program, args)).toBeUndefined();
  });

  it('never let a text that begins with a dash stand where a form is asked for', () => {
    // Forms that are flags of their own, such as --unit=…, name the flag themselves.
    const forms = PROGRAM_NAMES.flatMap((program) => VECTORS[program])
      .flatMap(({ args, rest }) => [...args, ...(rest === undefined ? [] : [rest.form])])
      .filter((one) => typeof one !== 'string')
      .filter((form) => !form.source.startsWith('^--'));
    fc.assert(fc.property(fc.string({ maxLength: 30 }), (text) => !forms.some((form) => form.test(`-${text}`))));
  });

  it('stop at the door what nobody declared', async () => {
    const refused = { kind: 'not_started', reason: expect.stringContaining('declares no such way') as string };
    expect((await new NodeExec().run('dmesg', ['--clear'], LIMIT)).ended).toEqual(refused);
    const fake = new FakeExec({ dmesg: () => ({}) });
    expect((await fake.run('dmesg', ['--clear'])).ended).toEqual(refused);
    expect(fake.runs).toEqual([]);
  });

  it('that change anything do not pass a door that only reads', async () => {
    const fake = new FakeExec({ rmmod: () => ({}), dmesg: () => ({ stdout: 'x' }) });
    const exec = new ReadOnlyExec(fake);
    expect((await exec.run('dmesg', [], LIMIT)).stdout).toBe('x');
    expect((await exec.run('rmmod', ['floppy'], LIMIT)).ended.kind).toBe('not_started');
    expect(exec.find('rmmod')).toBe('/usr/sbin/rmmod');
    expect(fake.runs).toEqual([{ program: 'dmesg', args: [] }]);
  });
});
