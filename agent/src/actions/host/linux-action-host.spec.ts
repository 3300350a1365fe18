import { type ActionRequest, type UndoStep, Verb } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { FakeExec } from '../../exec/fake-exec.ts';
import { listContent, listPath } from '../../host/host-writes.ts';
import type { MemoryHostFiles, MemoryNode } from '../../host/memory-host-files.ts';
import { MemoryHostWrites } from '../../host/memory-host-writes.ts';
import { ACT, aRequest, HOST_ID } from '../testing/builders.ts';
import { MODULES_6_1, virtioHost } from '../testing/trees.ts';
import { LinuxActionHost } from './linux-action-host.ts';

const DEPENDENT = `dependent 16384 0 - Live 0x0000000000000000
base 16384 1 dependent, Live 0x0000000000000000
`;
const README = { '/etc/modules-load.d/README': '' };

/** A host whose modprobe and rmmod do what they are told to /proc/modules. */
function aHost(changes: Readonly<Record<string, MemoryNode>> = {}) {
  const files: MemoryHostFiles = virtioHost({ ...README, ...changes });
  const lines = (): string[] => String(files.nodes.get('/proc/modules')).split('\n');
  const exec = new FakeExec({
    modprobe: ([, name = '']) => {
      files.nodes.set('/proc/modules', [`${name} 16384 0 - Live 0x0000000000000000`, ...lines()].join('\n'));
      return {};
    },
    rmmod: ([name = '']) => {
      const left = lines().filter((line) => !line.startsWith(`${name} `));
      files.nodes.set(
        '/proc/modules',
        left
          .join('\n')
          .replaceAll(/(\d+) base,/g, '0 -')
          .replaceAll('1 dependent,', '0 -'),
      );
      return {};
    },
  });
  const writes = new MemoryHostWrites(files);
  const sources = { files, exec, ownPaths: ['/var/lib/modfleet'], serverRoute: () => undefined };
  const host = new LinuxActionHost(sources, ACT, HOST_ID, writes);
  const plan = async (request: Partial<ActionRequest>) => {
    const verdict = await host.assess(aRequest(request), undefined);
    return { verdict, steps: verdict.plan.map((step) => [step.kind, step.kmod, ...step.parameters].join(' ')) };
  };
  return { files, exec, writes, host, plan };
}

const undo = (...steps: readonly [kind: string, kmod: string, ...parameters: string[]][]): UndoStep[] =>
  steps.map(([kind, kmod, ...parameters]) => ({ kind, kmod, parameters }));

describe('a restore', () => {
  it('of a load that brought a dependency unloads both, as the one is not held any more when its turn comes', async () => {
    const { plan } = aHost({ '/proc/modules': `${DEPENDENT}${MODULES_6_1}` });
    const steps = undo(['unload', 'dependent'], ['unload', 'base']);
    expect((await plan({ verb: Verb.VERB_RESTORE, undo: steps })).steps).toEqual(['rmmod dependent', 'rmmod base']);
    const { verdict } = await plan({ verb: Verb.VERB_RESTORE, undo: [...steps].reverse() });
    expect(verdict).toMatchObject({ allowed: false, decidedBy: 'held_by', plan: [] });
  });

  it('of an unload loads in order, and each kmod once', async () => {
    const { plan } = aHost();
    const steps = undo(['load', 'base', 'x=1'], ['load', 'dependent'], ['persist', 'dependent']);
    expect((await plan({ verb: Verb.VERB_RESTORE, undo: steps })).steps).toEqual([
      'modprobe base x=1',
      'modprobe dependent',
      'persist dependent',
    ]);
  });

  it('loads again what it unloads before', async () => {
    const { plan } = aHost({ '/proc/modules': `${DEPENDENT}${MODULES_6_1}` });
    const steps = undo(['unload', 'dependent'], ['unload', 'base'], ['load', 'dependent']);
    expect((await plan({ verb: Verb.VERB_RESTORE, undo: steps })).steps).toEqual([
      'rmmod dependent',
      'rmmod base',
      'modprobe base',
      'modprobe dependent',
    ]);
  });

  it('is refused as a whole where the host stands on one of its kmods', async () => {
    const { plan } = aHost();
    const { verdict } = await plan({
      verb: Verb.VERB_RESTORE,
      undo: undo(['unload', 'dummy'], ['unload', 'virtio_blk']),
    });
    expect(verdict).toMatchObject({ allowed: false, decidedBy: 'protected', plan: [] });
  });
});

describe('ensure_unloaded', () => {
  it('does not count its own list among the ways back, but those of others', async () => {
    const { plan, files } = aHost({ [listPath('dummy')]: listContent('dummy') });
    const { verdict, steps } = await plan({ verb: Verb.VERB_ENSURE_UNLOADED });
    expect(steps).toEqual(['unpersist dummy', 'rmmod dummy']);
    expect(verdict.reloadPaths.filter((path) => path.kind === 'modules_load')).toEqual([]);
    files.nodes.set('/etc/modules-load.d/mine.conf', 'dummy\n');
    expect((await plan({ verb: Verb.VERB_ENSURE_UNLOADED })).verdict.reloadPaths).toContainEqual({
      kind: 'modules_load',
      value: '/etc/modules-load.d/mine.conf:1',
    });
    expect((await plan({ verb: Verb.VERB_UNLOAD })).verdict.reloadPaths).toContainEqual({
      kind: 'modules_load',
      value: `${listPath('dummy')}:2`,
    });
  });

  it('takes no link for its list, wherever it leads', async () => {
    const { plan } = aHost({ [listPath('dummy')]: { link: '/etc/other' }, '/etc/other': listContent('dummy') });
    expect((await plan({ verb: Verb.VERB_ENSURE_UNLOADED })).verdict.decidedBy).toBe('persistence_foreign');
  });
});

describe('set_parameters', () => {
  it('looks at the mode of the file', async () => {
    const { plan, files } = aHost({ '/sys/module/dummy/parameters/a': '1\n' });
    expect((await plan({ verb: Verb.VERB_SET_PARAMETERS, parameters: ['a=2'] })).steps).toEqual([
      'set_parameters dummy a=2',
    ]);
    files.modes.set('/sys/module/dummy/parameters/a', 0o444);
    const { verdict } = await plan({ verb: Verb.VERB_SET_PARAMETERS, parameters: ['a=2'] });
    expect(verdict.decidedBy).toBe('parameter_not_writable');
  });

  it('reaches code that is built in', async () => {
    const { plan } = aHost({ '/sys/module/ipv6/parameters/disable': '0\n' });
    const asked = { verb: Verb.VERB_SET_PARAMETERS, kmod: 'ipv6', parameters: ['disable=1'] };
    expect((await plan(asked)).steps).toEqual(['set_parameters ipv6 disable=1']);
  });
});

describe('what is recorded before the first step', () => {
  it('has all that may come along, with values and files', async () => {
    const { host } = aHost({ '/sys/module/loop/parameters/max_loop': '8\n', [listPath('loop')]: listContent('loop') });
    const touched = await host.touchedBy([{ kind: 'modprobe', kmod: 'tun', parameters: [], because: '' }]);
    expect(touched).toEqual(['tun', 'base']);
    const { kmods } = await host.record(['tun', 'loop']);
    expect(kmods).toEqual([
      { name: 'loop', loaded: true, parameters: [['max_loop', '8']], writable: ['max_loop'], persisted: true },
      { name: 'tun', loaded: false, parameters: [], writable: [], persisted: false },
    ]);
  });
});

describe('each step of a plan', () => {
  it.each<Partial<ActionRequest>>([
    { verb: Verb.VERB_ENSURE_LOADED, kmod: 'base' },
    { verb: Verb.VERB_ENSURE_UNLOADED, kmod: 'loop' },
    { verb: Verb.VERB_SET_PARAMETERS, kmod: 'loop', parameters: ['max_loop=9'] },
  ])('of %j makes so what it wants, and then there is nothing to do', async (request) => {
    const { host, plan } = aHost({
      '/sys/module/loop/parameters/max_loop': '8\n',
      [listPath('loop')]: listContent('loop'),
    });
    const { verdict } = await plan(request);
    expect(verdict.plan.length).toBeGreaterThan(0);
    for (const step of verdict.plan) {
      expect(await host.holds(step)).toBe('no');
      expect((await host.execute(step, 'id')).end).toEqual({ kind: 'done' });
      expect(await host.holds(step)).toBe('yes');
    }
    expect((await plan(request)).verdict.decidedBy).toBe('unchanged');
  });
});
