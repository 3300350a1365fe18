import type { Exec } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';

/** `ip` answers in milliseconds; a second is a machine in trouble. */
const IP_TIMEOUT_MS = 5_000;

/** What iproute2 says of an interface beyond sysfs. */
export interface LinkSaid {
  readonly kind: string | undefined;
  /** The interface that a tunnel or a stacked one is bound to. */
  readonly boundTo: string | undefined;
  /** A tunnel's other end. */
  readonly remote: string | undefined;
  /** The interface's own. */
  readonly addresses: readonly string[];
}

/** As `ip -d -j addr show` says it; empty where iproute2 is missing. */
export async function readLinks(exec: Exec): Promise<ReadonlyMap<string, LinkSaid>> {
  return parseLinks((await ask(exec, ['-d', '-j', 'addr', 'show'])) ?? '');
}

/** Tables that every host has, in the order in which it asks them (ip-rule(8)). */
const USUAL_TABLES = new Set(['local', 'main', 'default', '255', '254', '253']);

/** Whether routes may lie elsewhere than in the main table, by `ip -j rule show`; undefined: not visible without iproute2. */
export async function hasPolicyRouting(files: HostFiles, exec: Exec): Promise<boolean | undefined> {
  // A kernel without IPv6 (ipv6.disable=1) has no such file, and `ip -6` fails there.
  const hasIpv6 = (await files.stat('/proc/net/if_inet6')).kind !== 'not_found';
  const rules = await Promise.all([
    ask(exec, ['-j', 'rule', 'show']),
    ...(hasIpv6 ? [ask(exec, ['-6', '-j', 'rule', 'show'])] : []),
  ]);
  if (rules.includes(undefined)) return undefined;
  return rules
    .flatMap((text) => asArray(parseJson(text ?? '')))
    .some((rule) => {
      const { table } = asRecord(rule);
      return table !== undefined && !USUAL_TABLES.has(String(table));
    });
}

async function ask(exec: Exec, args: readonly string[]): Promise<string | undefined> {
  if (exec.find('ip') === undefined) return undefined;
  const result = await exec.run('ip', args, { timeoutMs: IP_TIMEOUT_MS });
  return result.ended.kind === 'exited' && result.ended.code === 0 ? result.stdout : undefined;
}

/** By interface, from iproute2's JSON; empty when it is none (busybox's `ip`). */
export function parseLinks(json: string): Map<string, LinkSaid> {
  const links = new Map<string, LinkSaid>();
  for (const one of asArray(parseJson(json))) {
    const { ifname, linkinfo, link, addr_info: addresses } = asRecord(one);
    if (typeof ifname !== 'string') continue;
    const { info_kind: kind, info_data: data } = asRecord(linkinfo);
    const { remote, remote6, link: underlying } = asRecord(data);
    links.set(ifname, {
      kind: asText(kind),
      boundTo: asText(link) ?? asText(underlying),
      remote: [remote, remote6].map(asText).find((address) => address !== undefined && address !== 'any'),
      addresses: asArray(addresses).flatMap((each) => asText(asRecord(each)['local']) ?? []),
    });
  }
  return links;
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
