import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HEADER_MAX_BYTES, readProxyHeader } from './proxy-header.ts';
import { type HeaderParts, proxyHeader } from './testing/write-header.ts';

/** Captured from HAProxy 2.6: of a client at 127.88.0.9:43165, and of its health check. */
const HAPROXY_TCP4 = Buffer.from('0d0a0d0a000d0a515549540a2111000c7f5800097f000001a89d4a38', 'hex');
const HAPROXY_LOCAL = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');

const octet = fc.integer({ min: 0, max: 255 });
const ipv4 = fc.tuple(octet, octet, octet, octet).map((bytes) => bytes.join('.'));
const ipv6 = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
const port = fc.integer({ min: 0, max: 65_535 });
const fields = fc.array(
  fc.record({ type: octet, value: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) }),
  { maxLength: 5 },
);
const parts: fc.Arbitrary<HeaderParts> = fc.record({
  source: fc.oneof(ipv4, ipv6),
  port,
  fields,
});

describe('readProxyHeader', () => {
  it('reads what a balancer really sends', () => {
    expect(readProxyHeader(HAPROXY_TCP4)).toEqual({
      kind: 'whole',
      bytes: 28,
      peer: { address: '127.88.0.9', port: 43_165 },
    });
    expect(readProxyHeader(HAPROXY_LOCAL)).toEqual({ kind: 'whole', bytes: 16, peer: undefined });
  });

  it('reads any address, port and fields, whatever follows, and takes nothing of that', () => {
    fc.assert(
      fc.property(parts, fc.uint8Array({ maxLength: 50 }), (header, follows) => {
        const bytes = proxyHeader(header);
        const reading = readProxyHeader(Buffer.concat([bytes, follows]));
        expect(reading).toMatchObject({ kind: 'whole', bytes: bytes.length, peer: { port: header.port } });
        if (reading.kind !== 'whole' || reading.peer === undefined) throw new Error('not whole');
        if (typeof header.source === 'string') expect(reading.peer.address).toBe(header.source);
        else if (!reading.peer.address.includes('.')) expect(groupsOf(reading.peer.address)).toEqual(header.source);
      }),
    );
  });

  it('asks for more of every beginning, and for no more than the header has', () => {
    fc.assert(
      fc.property(parts, fc.nat(), (header, at) => {
        const bytes = proxyHeader(header);
        const reading = readProxyHeader(bytes.subarray(0, at % bytes.length));
        expect(reading.kind).toBe('more');
        if (reading.kind === 'more') expect(reading.bytes).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });

  it('never throws, and never reads beyond its bound', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), parts, fc.nat(), octet, (noise, header, at, value) => {
        const changed = Buffer.from(proxyHeader(header));
        changed[at % changed.length] = value;
        for (const bytes of [Buffer.from(noise), changed, Buffer.concat([changed, noise])]) {
          const reading = readProxyHeader(bytes);
          if (reading.kind !== 'refused') expect(reading.bytes).toBeLessThanOrEqual(HEADER_MAX_BYTES);
        }
      }),
    );
  });

  const good = proxyHeader({ source: '10.1.2.3', port: 9, fields: [] });
  const withByte = (at: number, value: number): Buffer => {
    const bytes = Buffer.from(good);
    bytes[at] = value;
    return bytes;
  };
  const withLength = (length: number): Buffer => {
    const bytes = Buffer.concat([good, Buffer.alloc(2_000)]);
    bytes.writeUInt16BE(length, 14);
    return bytes;
  };
  it.each([
    ['the beginning of TLS', Buffer.from('160301', 'hex')],
    ['version 1', Buffer.from('PROXY TCP4 10.1.2.3 10.0.0.1 9 7781\r\n')],
    ['another version', withByte(12, 0x31)],
    ['another command', withByte(12, 0x22)],
    ['no family', withByte(13, 0x00)],
    ['UDP', withByte(13, 0x12)],
    ['a Unix socket', withByte(13, 0x31)],
    ['IPv6 in the length of IPv4', withByte(13, 0x21)],
    ['a length without room for the addresses', withLength(11)],
    ['a field that is broken off', withLength(14)],
    ['more than may be', withLength(HEADER_MAX_BYTES)],
  ])('refuses %s', (_what, bytes) => expect(readProxyHeader(bytes).kind).toBe('refused'));

  it('calls an IPv4 address in IPv6 by its own name', () => {
    const mapped = [0, 0, 0, 0, 0, 0xffff, 0x0a01, 0x0203];
    expect(readProxyHeader(proxyHeader({ source: mapped, port: 1, fields: [] }))).toMatchObject({
      peer: { address: '10.1.2.3' },
    });
  });
});

/** The eight groups of an address as Node writes it. */
function groupsOf(address: string): number[] {
  const [left = '', right] = address.split('::');
  const numbers = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const [before, after] = [numbers(left), numbers(right ?? '')];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}
