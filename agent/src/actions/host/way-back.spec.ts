import { Verb } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { NoExec } from '../../exec/node-exec.ts';
import type { MemoryHostFiles, MemoryNode } from '../../host/memory-host-files.ts';
import { decide } from '../findings/verdict.ts';
import { ACT, aQuestion } from '../testing/builders.ts';
import { kmodFile } from '../testing/kmod-file.ts';
import { virtioHost, virtualInterface } from '../testing/trees.ts';
import { collectFacts } from './collect-facts.ts';

const TREE = '/lib/modules/6.1.0-56-cloud-amd64';
const VIRTIO_NET = `${TREE}/kernel/drivers/net/virtio_net.ko`;

/** Decides on the NIC driver that carries the connection, its protection set aside, unless told otherwise. */
async function verdict(files: MemoryHostFiles, changes: Parameters<typeof aQuestion>[0] = {}) {
  const asked = aQuestion({ kmod: 'virtio_net', confirmWindowSeconds: 120, overrides: ['route'], ...changes });
  const sources = { files, exec: new NoExec(), ownPaths: [], serverRoute: () => ({ remoteAddress: '10.0.2.2' }) };
  const { facts } = await collectFacts(sources, asked, undefined);
  return decide(asked, facts, ACT, []);
}

const without = (path: string): MemoryHostFiles => {
  const files = virtioHost();
  for (const key of files.nodes.keys()) if (key.startsWith(path)) files.nodes.delete(key);
  return files;
};
const line = (text: string): MemoryHostFiles => virtioHost({ '/etc/modprobe.d/x.conf': `${text}\n` });
const file = (node: MemoryNode): MemoryHostFiles => virtioHost({ [VIRTIO_NET]: node });

describe('a confirm window for the NIC driver under the connection', () => {
  it('is given where it could be loaded again', async () => {
    expect((await verdict(virtioHost())).decidedBy).toBe('ok');
  });

  it.each<[string, string, MemoryHostFiles]>([
    ['release_files_missing', 'no tree, as after a purge of the running kernel', without('/lib/modules')],
    ['release_files_missing', 'no file', without(VIRTIO_NET)],
    ['release_files_missing', 'a file that cannot be read', file({ errno: 'EIO' })],
    ['release_files_missing', 'a file that is no kmod', file('torn')],
    ['wrong_release', 'a file of another kernel', file(kmodFile(['vermagic=6.1.0-57-cloud-amd64 SMP ']))],
    ['symbol_missing', 'a file with new needs', file(kmodFile(['depends=nobody']))],
    ['signature_required', 'no signature', virtioHost({ '/sys/module/module/parameters/sig_enforce': 'Y\n' })],
    ['lockdown', 'no signature', virtioHost({ '/sys/kernel/security/lockdown': 'none [integrity] confidentiality\n' })],
    ['blocked', 'a block', line('install virtio_net /bin/false')],
    ['blocked', 'an alias line', line('alias virtio_net off')],
    ['custom_command', 'a command', line('install virtio_net /usr/local/bin/up')],
    ['blocked', 'module_blacklist=', virtioHost({ '/proc/cmdline': 'module_blacklist=virtio_net\n' })],
  ])('is refused as %s with %s', async (code, _, files) => {
    const { allowed, decidedBy, findings } = await verdict(files);
    expect([allowed, decidedBy]).toEqual([false, code]);
    expect(findings[0]?.message).toContain('a confirm window');
  });
});

describe('an unload of what is blocked', () => {
  const blocked = { '/etc/modprobe.d/x.conf': 'install dummy /bin/false\n' };

  it('is allowed, with and without a window, where nothing is at stake', async () => {
    for (const confirmWindowSeconds of [0, 120])
      expect((await verdict(virtioHost(blocked), { kmod: 'dummy', confirmWindowSeconds })).decidedBy).toBe('ok');
  });

  it('is refused where only the window’s revert protects an interface', async () => {
    const up = virtioHost({ ...blocked, ...virtualInterface('dummy0', true) });
    expect((await verdict(up, { kmod: 'dummy' })).decidedBy).toBe('blocked');
  });

  it('is allowed in a window where only interfaces of other namespaces are at stake, which nothing puts back', async () => {
    const container = virtioHost({
      ...blocked,
      '/proc/77/ns/net': { link: 'net:[4026532000]' },
      '/proc/77/net/dev': 'Inter-|   Receive\n face |bytes\n    lo: 0\n  eth9: 0\n',
    });
    const { decidedBy, findings } = await verdict(container, { kmod: 'dummy' });
    expect(decidedBy).toBe('ok');
    expect(findings.map((finding) => finding.message).join()).toContain('a confirm window does not put this back');
  });
});

it('opens no file for an unload without a window', async () => {
  const files = virtioHost();
  await verdict(files, { kmod: 'dummy', confirmWindowSeconds: 0 });
  expect(files.reads.filter((path) => path.endsWith('.ko'))).toEqual([]);
});

it('refuses a reload of a file that cannot be read before anything is unloaded', async () => {
  const files = virtioHost({ [`${TREE}/kernel/drivers/net/dummy.ko`]: { errno: 'EIO' } });
  const reload = await verdict(files, { kmod: 'dummy', verb: Verb.VERB_RELOAD, confirmWindowSeconds: 0 });
  expect(reload.decidedBy).toBe('release_files_missing');
});
