import { IP_TIMEOUT_MS, lookAtHost } from '../../confirm/snapshot/read-snapshot.ts';
import type { Exec } from '../../exec/exec.ts';
import { fieldsOf, listOf, parseList, textOf } from '../../exec/ip-json.ts';
import type { HostFiles } from '../../host/host-files.ts';

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
  if (exec.find('ip') === undefined) return new Map();
  const { ended, stdout } = await exec.run('ip', ['-d', '-j', 'addr', 'show'], { timeoutMs: IP_TIMEOUT_MS });
  return parseLinks(ended.kind === 'exited' && ended.code === 0 ? stdout : '');
}

/** Whether routes may lie elsewhere than in the main table: there are more rules than a kernel begins with. Undefined: not visible. */
export async function hasPolicyRouting(files: HostFiles, exec: Exec): Promise<boolean | undefined> {
  const { now, unread } = await lookAtHost({ files, exec }, [], ['rules inet', 'rules inet6']);
  return unread.size > 0 ? undefined : now.rules.length > 0;
}

/** By interface, from iproute2's JSON; empty when it is none (busybox's `ip`). */
export function parseLinks(json: string): Map<string, LinkSaid> {
  const links = new Map<string, LinkSaid>();
  for (const one of parseList(json) ?? []) {
    const { ifname: name } = one;
    if (typeof name !== 'string') continue;
    const { info_kind: kind, info_data: data } = fieldsOf(one['linkinfo']);
    const { remote, remote6, link: underlying } = fieldsOf(data);
    links.set(name, {
      kind: orUndefined(kind),
      boundTo: orUndefined(one['link']) ?? orUndefined(underlying),
      remote: [remote, remote6].map(orUndefined).find((address) => address !== undefined && address !== 'any'),
      addresses: listOf(one['addr_info']).flatMap((each) => orUndefined(fieldsOf(each)['local']) ?? []),
    });
  }
  return links;
}

function orUndefined(value: unknown): string | undefined {
  const text = textOf(value);
  return text === '' ? undefined : text;
}
