import { BlockRung } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import { aliasBlocks } from './alias-blocks.ts';
import { computeBlocks } from './blocks.ts';
import { readKmodIndex } from './kmod-index.ts';
import { readModprobeConfig } from './modprobe-config.ts';

const FOLDER = '/lib/modules/6.1.0-test';
const CONF = '/etc/modprobe.d/a.conf';

async function read(lines: string) {
  const files = new MemoryHostFiles({
    '/proc/cmdline': 'quiet\n',
    [`${FOLDER}/modules.dep`]: [
      'kernel/drivers/net/dummy.ko:',
      'kernel/drivers/net/tap.ko:',
      'kernel/net/ipv4/udp_tunnel.ko:',
      'kernel/drivers/char/hw_random/virtio-rng.ko:',
    ].join('\n'),
    [`${FOLDER}/modules.builtin`]: '',
    [`${FOLDER}/modules.builtin.modinfo`]: '',
    [`${FOLDER}/modules.alias`]: [
      'alias rtnl-link-dummy dummy',
      'alias virtio:d00000004v* virtio_rng',
      'alias virtio:d00000005v* virtio_rng',
    ].join('\n'),
    [`${FOLDER}/modules.softdep`]: '',
    [CONF]: lines,
  });
  const index = await readKmodIndex(files, '6.1.0-test');
  if (index.kind !== 'ok') throw new Error('the fixture has no index');
  return { config: await readModprobeConfig(files, FOLDER), index: index.value };
}

async function blocks(lines: string) {
  const { config, index } = await read(lines);
  return computeBlocks({ config, index, modulesDisabled: false }).map(({ kmod, rung, file, line, detail }) => {
    expect([rung, file]).toEqual([BlockRung.BLOCK_RUNG_ALIAS, CONF]);
    return [kmod, line, detail];
  });
}

/** Each as `modprobe -n -v` of kmod 30 does it on a tree of Debian 12. */
describe('aliasBlocks', () => {
  it.each([
    ['alias dummy off\n', [['dummy', 1, 'alias dummy off: for its name modprobe loads nothing']]],
    ['alias dummy nosuch\n', [['dummy', 1, 'alias dummy nosuch: for its name modprobe loads nothing']]],
    ['\nalias dummy tap\n', [['dummy', 2, 'alias dummy tap: for its name modprobe loads tap instead']]],
    ['alias dum* off\n', [['dummy', 1, 'alias dum* off: for its name modprobe loads nothing']]],
    ['alias rtnl-link-dummy off\n', [['dummy', 1, 'alias rtnl_link_dummy off: for that alias modprobe loads nothing']]],
    ['alias udp-tunnel off\n', [['udp_tunnel', 1, 'alias udp_tunnel off: for its name modprobe loads nothing']]],
    ['alias virtio:* off\n', [['virtio_rng', 1, 'alias virtio:* off: for that alias modprobe loads nothing']]],
  ])('%j', async (lines, expected) => {
    expect(await blocks(lines)).toEqual(expected);
  });

  it('a second line that leads to the kmod opens the way again, one that leads elsewhere does not', async () => {
    expect(await blocks('alias rtnl-link-dummy off\nalias rtnl-link-dummy dummy\n')).toEqual([]);
    expect(await blocks('alias dummy off\nalias dummy dummy\n')).toEqual([]);
    expect((await blocks('alias dummy off\nalias dummy tap\n')).map(([, line]) => line)).toEqual([1, 2]);
  });

  it('names that no kmod of the tree has, and a tree that cannot be read, give no rung', async () => {
    expect(await blocks('alias net-pf-3 off\nalias eth0 dummy\n')).toEqual([]);
    expect(aliasBlocks((await read('alias dummy off\n')).config, undefined)).toEqual([]);
  });
});
