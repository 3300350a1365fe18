export interface HeaderParts {
  /** IPv4 as text, IPv6 as its eight groups. */
  readonly source: string | readonly number[];
  readonly port: number;
  readonly fields: readonly { readonly type: number; readonly value: Buffer }[];
}

/** A header of the PROXY protocol, version 2, as a balancer writes it. */
export function proxyHeader({ source, port, fields }: HeaderParts): Buffer {
  const address = typeof source === 'string' ? Buffer.from(source.split('.').map(Number)) : groupBytes(source);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(port, 0);
  ports.writeUInt16BE(7781, 2);
  const extra = fields.map(({ type, value }) => {
    const head = Buffer.alloc(3);
    head.writeUInt8(type, 0);
    head.writeUInt16BE(value.length, 1);
    return Buffer.concat([head, value]);
  });
  const rest = Buffer.concat([address, Buffer.alloc(address.length, 1), ports, ...extra]);
  const fixed = Buffer.from('0d0a0d0a000d0a515549540a21000000', 'hex');
  fixed.writeUInt8(typeof source === 'string' ? 0x11 : 0x21, 13);
  fixed.writeUInt16BE(rest.length, 14);
  return Buffer.concat([fixed, rest]);
}

/** The health check of a balancer: it speaks for itself. */
export const LOCAL_HEADER = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');

function groupBytes(groups: readonly number[]): Buffer {
  const bytes = Buffer.alloc(16);
  groups.forEach((group, index) => bytes.writeUInt16BE(group, 2 * index));
  return bytes;
}
