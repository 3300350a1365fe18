import { describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../../host/memory-host-files.ts';
import { socketUsers } from './socket-users.ts';

const HERE = 'net:[1]';

/** As a 6.12 kernel has it with xfrm_user loaded: its own socket is there, with an inode and without a process. */
const NETLINK = `sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
000000000dc2bfb8 0   1          00000001 0        0        0     2        0        900
00000000a3b2ca3c 6   0          00000000 0        0        0     2        0        8021
`;

function host(netlink: string): MemoryHostFiles {
  return new MemoryHostFiles({
    '/proc/net/netlink': netlink,
    '/proc/net/pfkey':
      'sk               RefCnt Rmem   Wmem   User   Inode\n00000000a3b2ca3c 3      0      0      0      700\n',
    '/proc/7/comm': 'charon\n',
    '/proc/self/ns/net': { link: HERE },
  });
}

const aliases = [
  { pattern: 'net_pf_16_proto_6', kmod: 'xfrm_user' },
  { pattern: 'net_pf_15', kmod: 'af_key' },
];

const holding = (...sockets: string[]) => ({
  seen: [{ pid: 7, nodes: [], sockets, networkNamespace: HERE, mountNamespace: undefined, heldNamespaces: [] }],
  allSeen: true,
});

const shown = async (netlink: string, kmod: string, ...sockets: string[]): Promise<string[]> =>
  (await socketUsers(host(netlink), kmod, aliases, holding(...sockets))).map(({ value }) => value);

describe('socketUsers', () => {
  it('names the process of a netlink socket that is in no list, as it was only opened', async () => {
    expect(await shown(NETLINK, 'xfrm_user', '555')).toEqual([
      '7 (charon) has a socket that no list in /proc/net names',
    ]);
  });

  it('is certain of one that is bound', async () => {
    const bound = `${NETLINK}0000000012345678 6   7          00000000 0        0        0     2        0        555\n`;
    expect(await shown(bound, 'xfrm_user', '555')).toEqual(['7 (charon) has a socket of xfrm_user']);
  });

  it('does not guess where the list of a kmod is whole', async () => {
    expect(await shown(NETLINK, 'af_key', '555')).toEqual([]);
    expect(await shown(NETLINK, 'af_key', '700')).toEqual(['7 (charon) has a socket of af_key']);
  });

  it('leaves other network namespaces alone: the lists are ours', async () => {
    const [process] = holding('555').seen;
    const elsewhere = { seen: [{ ...process!, networkNamespace: 'net:[2]' }], allSeen: true };
    expect(await socketUsers(host(NETLINK), 'xfrm_user', aliases, elsewhere)).toEqual([]);
  });
});
