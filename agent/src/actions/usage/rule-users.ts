import type { Evidence } from '@modfleet/proto';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { kernelName } from '../../kmod/kernel-name.ts';
import { evidence } from '../findings/facts.ts';
import type { ToolLists } from './tool-lists.ts';

/** Words of a ruleset by which an nftables kmod is needed, where they are not its name without `nft_` (net/netfilter). */
const NFT_WORDS: Readonly<Record<string, RegExp>> = {
  nft_masq: /\bmasquerade\b/,
  nft_nat: /\b(?:snat|dnat)\b/,
  nft_redir: /\bredirect\b/,
  nft_chain_nat: /\btype nat\b/,
  nft_reject_inet: /\breject\b/,
  nft_reject_ipv4: /\breject\b/,
  nft_reject_ipv6: /\breject\b/,
  nft_hash: /\b(?:jhash|symhash)\b/,
  nft_compat: /\bxt (?:match|target)\b/,
  nft_fib_inet: /\bfib\b/,
  nft_fib_ipv4: /\bfib\b/,
  nft_fib_ipv6: /\bfib\b/,
  nft_connlimit: /\bct count\b/,
  nft_flow_offload: /\bflow add\b/,
  nft_xfrm: /\bipsec\b/,
};

/** Lists of the older packet filter, one name a line (root only). */
const XTABLES_LISTS = ['ip_tables', 'ip6_tables', 'arp_tables'].flatMap((family) =>
  (['names', 'matches', 'targets'] as const).map((list) => ({ family, list, file: `/proc/net/${family}_${list}` })),
);

/** Rules of the packet filter, of traffic control and of xfrm that need a kmod. */
export async function ruleUsers(files: HostFiles, kmod: string, tools: ToolLists): Promise<Evidence[]> {
  return [
    ...nftUsers(kmod, tools),
    ...(await xtablesUsers(files, kmod)),
    ...trafficUsers(kmod, tools),
    ...xfrmUsers(kmod, tools),
  ];
}

/** What could not be asked about this kmod, with the tool that could. */
export function ruleBlindness(kmod: string, tools: ToolLists): string[] {
  const missing: string[] = [];
  if (/^(?:nf_|nft_)/.test(kmod) && tools.nftTables === undefined)
    missing.push('nftables tables and rules: not visible without nft (and root)');
  if (/^(?:sch|cls|act|em)_/.test(kmod) && tools.qdiscs === undefined)
    missing.push('traffic control: not visible without tc');
  if (/^(?:esp|ah|xfrm|ipcomp)\d?(?:_|$)/.test(kmod) && tools.xfrmStates === undefined)
    missing.push('xfrm state: not visible without ip (and root)');
  return missing;
}

function nftUsers(kmod: string, { nftTables }: ToolLists): Evidence[] {
  if (nftTables === undefined || !/^(?:nft_|nf_tables|nf_conntrack|nf_nat)/.test(kmod)) return [];
  const words =
    kmod === 'nf_tables'
      ? /^/
      : kmod.startsWith('nft_')
        ? (NFT_WORDS[kmod] ?? new RegExp(`\\b${kmod.slice('nft_'.length)}\\b`))
        : /\bct\b|\bnat\b|\bmasquerade\b/;
  return nftTables
    .filter((text) => words.test(text))
    .map((text) => evidence('rule', `nftables table ${/^table (\S+ \S+)/.exec(text)?.[1] ?? ''}`));
}

/** `xt_NAME` and `ipt_NAME` bring matches and targets, `iptable_NAME` and `ip6table_NAME` tables. */
async function xtablesUsers(files: HostFiles, kmod: string): Promise<Evidence[]> {
  if (!/^(?:xt|ipt|ip6t|arpt|iptable|ip6table|arptable)_/.test(kmod)) return [];
  const name = kmod.slice(kmod.indexOf('_') + 1);
  const found: Evidence[] = [];
  for (const { family, list, file } of XTABLES_LISTS) {
    const isTable = /table_/.test(kmod);
    if (isTable !== (list === 'names')) continue;
    const names = (valueOf(await files.readText(file)) ?? '').split('\n').map((line) => kernelName(line.trim()));
    if (names.some((one) => one.toLowerCase() === name.toLowerCase()))
      found.push(
        evidence('rule', `${file}: ${name} (${family}; whether a rule uses it is not visible without its iptables)`),
      );
  }
  return found;
}

function trafficUsers(kmod: string, { qdiscs, filters }: ToolLists): Evidence[] {
  const kind = kmod.slice(kmod.indexOf('_') + 1);
  if (kmod.startsWith('sch_'))
    return (qdiscs ?? [])
      .filter((line) =>
        [kind, ...(kind === 'ingress' ? ['clsact'] : [])].some((one) => line.startsWith(`qdisc ${one} `)),
      )
      .map((line) => evidence('rule', line.trim()));
  if (kmod.startsWith('cls_'))
    return (filters ?? [])
      .filter((line) => new RegExp(`\\bpref \\d+ ${kind}\\b`).test(line))
      .map((line) => evidence('rule', `filter on ${line}`));
  if (kmod.startsWith('act_'))
    return (filters ?? [])
      .filter((line) => new RegExp(`\\baction order \\d+:\\s+${kind}\\b`).test(line))
      .map((line) => evidence('rule', `action on ${line}`));
  return [];
}

/** esp4 and esp6 look alike in the list. */
function xfrmUsers(kmod: string, { xfrmStates }: ToolLists): Evidence[] {
  const protocol = /^(esp|ah|ipcomp)[46]?$/.exec(kmod)?.[1];
  if (protocol === undefined) return [];
  const states = (xfrmStates ?? []).filter((line) =>
    new RegExp(`proto ${protocol.replace('ipcomp', 'comp')}\\b`).test(line),
  );
  return states.length === 0 ? [] : [evidence('rule', `xfrm: ${states.length} states of protocol ${protocol}`)];
}
