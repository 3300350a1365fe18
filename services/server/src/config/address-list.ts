import { BlockList, isIP } from 'node:net';
import { z } from 'zod';

/** Addresses and CIDRs, comma separated, each checked. An empty list is refused: it looks like a list and is none. */
export const addressList = z.string().transform((text, context): readonly string[] => {
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  if (entries.length === 0) context.addIssue({ code: 'custom', message: 'names nobody: list addresses, or unset it' });
  for (const entry of entries) {
    if (parts(entry) === undefined)
      context.addIssue({
        code: 'custom',
        message: `${JSON.stringify(entry)} is no address and no CIDR: list them comma separated, for example 10.0.0.1, 10.1.0.0/16, fd00::/64`,
      });
  }
  return entries;
});

/** What is in the list. @param entries as {@link addressList} gives them. */
export function addressesIn(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const found = parts(entry);
    if (found === undefined) throw new Error(`${entry} is no address and no CIDR`);
    list.addSubnet(found.address, found.bits, found.family);
  }
  return list;
}

function parts(
  entry: string,
): { readonly address: string; readonly bits: number; readonly family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', range, ...rest] = entry.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const most = version === 4 ? 32 : 128;
  if (range !== undefined && !(/^\d{1,3}$/.test(range) && Number(range) > 0 && Number(range) <= most)) return undefined;
  return { address, bits: range === undefined ? most : Number(range), family: version === 4 ? 'ipv4' : 'ipv6' };
}
