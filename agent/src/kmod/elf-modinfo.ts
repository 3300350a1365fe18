import { parseBuildId } from './build-id.ts';
import { signerOf } from './module-signature.ts';

/** What a kmod file says of itself. */
export interface KmodFileInfo {
  /** Keys of the `.modinfo` section in file order; a key may come more than once. */
  readonly modinfo: readonly (readonly [key: string, value: string])[];
  /** GNU build id, lower-case hex. */
  readonly buildId: string | undefined;
  /** Common name of the signer; undefined for an unsigned file. */
  readonly signer: string | undefined;
}

/** A file that is no kmod. */
export class ElfError extends Error {
  readonly code = 'not_a_kmod_file';
  constructor(what: string) {
    super(what);
    this.name = 'ElfError';
  }
}

/**
 * Reads an unpacked kmod file: ELF of either word size and byte order (elf(5)).
 *
 * @throws ElfError when it is no ELF file or its tables point outside of it.
 */
export function readKmodFile(bytes: Uint8Array): KmodFileInfo {
  const sections = new ElfSections(bytes);
  const note = sections.find('.note.gnu.build-id');
  return {
    modinfo: parseModinfo(sections.find('.modinfo') ?? new Uint8Array()),
    buildId: note === undefined ? undefined : parseBuildId(note),
    signer: signerOf(bytes),
  };
}

/** `key=value` records, each ended by NUL, with padding between. */
function parseModinfo(section: Uint8Array): [string, string][] {
  return text(section)
    .split('\0')
    .flatMap((record): [string, string][] => {
      const equals = record.indexOf('=');
      return equals > 0 ? [[record.slice(0, equals), record.slice(equals + 1)]] : [];
    });
}

/** The section headers of an ELF file. */
class ElfSections {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #wide: boolean;
  readonly #little: boolean;
  readonly #table: number;
  readonly #entrySize: number;
  readonly #count: number;
  readonly #names: Uint8Array;

  constructor(bytes: Uint8Array) {
    if (bytes.length < 64 || text(bytes.subarray(0, 4)) !== '\x7fELF') throw new ElfError('not an ELF file');
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#wide = bytes[4] === 2;
    this.#little = bytes[5] === 1;
    // Offsets of e_shoff, e_shentsize, e_shnum, e_shstrndx in the two header forms.
    const at = this.#wide
      ? { table: 40, size: 58, count: 60, names: 62 }
      : { table: 32, size: 46, count: 48, names: 50 };
    this.#table = this.#word(at.table);
    this.#entrySize = this.#view.getUint16(at.size, this.#little);
    this.#count = this.#view.getUint16(at.count, this.#little);
    if (this.#table + this.#entrySize * this.#count > bytes.length)
      throw new ElfError('section table outside of the file');
    this.#names = this.#content(this.#view.getUint16(at.names, this.#little));
  }

  find(name: string): Uint8Array | undefined {
    for (let index = 0; index < this.#count; index++) {
      if (this.#nameOf(index) === name) return this.#content(index);
    }
    return undefined;
  }

  #nameOf(index: number): string {
    const start = this.#view.getUint32(this.#table + index * this.#entrySize, this.#little);
    const end = this.#names.indexOf(0, start);
    return text(this.#names.subarray(start, end < 0 ? undefined : end));
  }

  #content(index: number): Uint8Array {
    if (index >= this.#count) throw new ElfError('section number outside of the table');
    const entry = this.#table + index * this.#entrySize;
    const offset = this.#word(entry + (this.#wide ? 24 : 16));
    const size = this.#word(entry + (this.#wide ? 32 : 20));
    if (offset + size > this.#bytes.length) throw new ElfError('section outside of the file');
    return this.#bytes.subarray(offset, offset + size);
  }

  #word(offset: number): number {
    return this.#wide
      ? Number(this.#view.getBigUint64(offset, this.#little))
      : this.#view.getUint32(offset, this.#little);
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
