import { mkdir, open, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Seal } from './seal.model.ts';
import { parseExportedLine } from './seal-line.ts';

/** Where the last seal of a file is looked for: more than any line is long (a seal of 10,000 rows in as many ranges has 600 KB). */
const TAIL_BYTES = 4 * 1024 * 1024;

/**
 * The file to which seals are exported.
 *
 * INVARIANTS
 * - Only appended to, and synced before anybody is told. A last line without its end (a crash, a full disk) is cut: its seal is still in the database.
 * - Another process may append to the same file: what it holds is read again whenever it has another size than this one left it with.
 */
export class SealFile {
  readonly path: string;
  #last: Seal | undefined;
  #size = -1;

  constructor(path: string) {
    this.path = path;
  }

  /** The last seal in the file; undefined for an empty one, or none. */
  async last(): Promise<Seal | undefined> {
    const size = await stat(this.path).then(
      (found) => found.size,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return 0;
        throw error;
      },
    );
    if (size !== this.#size) {
      this.#last = size === 0 ? undefined : await this.#readTail();
      this.#size = size;
    }
    return this.#last;
  }

  /** @param last the last seal among the lines, if there is one. */
  async append(lines: string, last: Seal | undefined): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const file = await open(this.path, 'a', 0o600);
    try {
      this.#size = -1;
      await cutTornLine(file, this.path);
      await file.appendFile(lines);
      await file.datasync();
      const { size } = await file.stat();
      this.#last = last ?? this.#last;
      this.#size = size;
    } finally {
      await file.close();
    }
  }

  async #readTail(): Promise<Seal | undefined> {
    const lines = (await readEnd(this.path, TAIL_BYTES)).split('\n').slice(0, -1);
    for (const text of lines.reverse()) {
      const line = parseExportedLine(text);
      if (line?.kind === 'seal') return line.seal;
    }
    return undefined;
  }
}

async function cutTornLine(file: FileHandle, path: string): Promise<void> {
  const { size } = await file.stat();
  if (size === 0) return;
  const end = await readEnd(path, TAIL_BYTES);
  if (!end.endsWith('\n')) await file.truncate(size - Buffer.byteLength(end.slice(end.lastIndexOf('\n') + 1)));
}

async function readEnd(path: string, bytes: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.min(size, bytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString();
  } finally {
    await file.close();
  }
}
