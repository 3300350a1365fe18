import { isIP } from 'node:net';

/** What the library behind it knows by name: loopback, link-local and private addresses. */
const NAMED = new Set(['loopback', 'linklocal', 'uniquelocal']);

/** Why an entry of MODFLEET_TRUSTED_PROXY names no proxy; undefined: it does. */
export function proxyProblem(entry: string): string | undefined {
  if (NAMED.has(entry)) return undefined;
  const [address = '', range, ...rest] = entry.split('/');
  const family = isIP(address);
  const isRange =
    range === undefined ||
    (/^\d{1,3}$/.test(range) && Number(range) > 0 && Number(range) <= (family === 4 ? 32 : 128)) ||
    (family === 4 && isNetmask(range));
  if (family !== 0 && isRange && rest.length === 0) return undefined;
  return `${JSON.stringify(entry)} is no address and no CIDR: list those of the proxies, comma separated, for example 10.0.0.1, 10.1.0.0/16; whoever they are is believed`;
}

function isNetmask(text: string): boolean {
  if (isIP(text) !== 4) return false;
  const bits = text
    .split('.')
    .map((byte) => Number(byte).toString(2).padStart(8, '0'))
    .join('');
  return /^1+0*$/.test(bits);
}
