/** The least ELF file that reads as a kmod: 64 bits, little end first, with these `key=value` records in `.modinfo`; not signed. */
export function kmodFile(modinfo: readonly string[]): Uint8Array {
  const names = Buffer.from('\0.modinfo\0.shstrtab\0');
  const info = Buffer.from(modinfo.map((record) => `${record}\0`).join(''));
  const header = Buffer.alloc(64);
  header.write('\x7fELF', 0, 'latin1');
  header.writeUInt8(2, 4);
  header.writeUInt8(1, 5);
  // e_shoff, e_shentsize, e_shnum, e_shstrndx (elf(5)).
  header.writeBigUInt64LE(BigInt(64 + info.length + names.length), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(3, 60);
  header.writeUInt16LE(2, 62);
  const sections = [section(0, 0, 0), section(1, 64, info.length), section(10, 64 + info.length, names.length)];
  return Buffer.concat([header, info, names, ...sections]);
}

function section(name: number, offset: number, size: number): Buffer {
  const entry = Buffer.alloc(64);
  entry.writeUInt32LE(name, 0);
  entry.writeBigUInt64LE(BigInt(offset), 24);
  entry.writeBigUInt64LE(BigInt(size), 32);
  return entry;
}
