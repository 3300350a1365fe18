import { SocketAddress } from 'node:net';

/**
 * The header of the PROXY protocol, version 2 (haproxy.org, doc/proxy-protocol.txt, 2.2): 12 bytes of signature, version and command, family and transport,
 * the length of the rest (big-endian), then addresses, ports and fields. Strict: version 2 alone, TCP alone, fields that fill the length exactly.
 */
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const FIXED_BYTES = 16;
/** 16, 36 for IPv6, and room for the fields that balancers add; a longer one is nobody's whom we know. */
export const HEADER_MAX_BYTES = 1_024;

const LOCAL = 0x20;
const PROXY = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;

/** Where a connection really comes from. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

export type HeaderReading =
  /** It may be one; so many bytes have to be there to go on. */
  | { readonly kind: 'more'; readonly bytes: number }
  /** None, or one that is not understood. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Whole. `peer` undefined: the balancer speaks for itself (its health check). What follows `bytes` is the connection's own. */
  | { readonly kind: 'whole'; readonly bytes: number; readonly peer: Peer | undefined };

/** Reads what has arrived of a connection so far. Pure. */
export function readProxyHeader(bytes: Buffer): HeaderReading {
  const signature = bytes.subarray(0, SIGNATURE.length);
  if (!signature.equals(SIGNATURE.subarray(0, signature.length))) return refused('no PROXY header of version 2');
  if (bytes.length < FIXED_BYTES) return { kind: 'more', bytes: FIXED_BYTES };
  const command = bytes.readUInt8(12);
  if (command !== LOCAL && command !== PROXY) return refused('a PROXY header of another version or command');
  const end = FIXED_BYTES + bytes.readUInt16BE(14);
  if (end > HEADER_MAX_BYTES) return refused('a PROXY header that is too long');
  if (bytes.length < end) return { kind: 'more', bytes: end };
  const rest = bytes.subarray(FIXED_BYTES, end);
  // Whatever it says of addresses is to be ignored (2.2).
  if (command === LOCAL) return { kind: 'whole', bytes: end, peer: undefined };
  switch (bytes.readUInt8(13)) {
    case TCP4:
      return proxied(end, rest, 4, ipv4);
    case TCP6:
      return proxied(end, rest, 16, ipv6);
    default:
      return refused('a PROXY header that names no TCP connection');
  }
}

/** Source, destination, source port, destination port, fields. */
function proxied(end: number, rest: Buffer, size: number, words: (bytes: Buffer) => string): HeaderReading {
  const fields = 2 * size + 4;
  if (rest.length < fields) return refused('a PROXY header that is too short for its addresses');
  if (!areFields(rest.subarray(fields))) return refused('a PROXY header with fields that are broken off');
  const port = rest.readUInt16BE(2 * size);
  return { kind: 'whole', bytes: end, peer: { address: words(rest.subarray(0, size)), port } };
}

/** A type, a length of two bytes, so many bytes; again, to the end. What they say is nothing to us. */
function areFields(bytes: Buffer): boolean {
  let at = 0;
  while (at + 3 <= bytes.length) at += 3 + bytes.readUInt16BE(at + 1);
  return at === bytes.length;
}

function ipv4(bytes: Buffer): string {
  return bytes.join('.');
}

/** As Node writes one; an IPv4 address in IPv6's clothes as the IPv4 address. */
function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16));
  const { address } = new SocketAddress({ address: groups.join(':'), family: 'ipv6' });
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1] ?? address;
}

function refused(reason: string): HeaderReading {
  return { kind: 'refused', reason };
}
