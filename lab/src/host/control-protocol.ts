/** What a lab host says on its control port (lab/guest/control.c). */
export type ControlMessage =
  | { type: 'ready'; bootId: string }
  | { type: 'got'; id: number }
  | { type: 'done'; id: number; code: number; stdout: string; stderr: string }
  | { type: 'noise'; line: string };

const decoded = (word: string): string => (word === '-' ? '' : Buffer.from(word, 'base64').toString());

/** Reads one line of the port; anything else than a whole message is noise (a reset in the middle of a line, say). */
export function parseControlLine(line: string): ControlMessage {
  const [verb, ...words] = line.trim().split(' ');
  if (verb === 'READY' && words.length === 1 && /^[0-9a-f-]{36}$/.test(words[0] ?? '')) {
    return { type: 'ready', bootId: words[0] ?? '' };
  }
  const [id, code, stdout, stderr] = words;
  if (verb === 'GOT' && words.length === 1 && /^\d+$/.test(id ?? '')) return { type: 'got', id: Number(id) };
  if (verb === 'DONE' && words.length === 4 && /^\d+$/.test(id ?? '') && /^\d+$/.test(code ?? '')) {
    return {
      type: 'done',
      id: Number(id),
      code: Number(code),
      stdout: decoded(stdout ?? '-'),
      stderr: decoded(stderr ?? '-'),
    };
  }
  return { type: 'noise', line };
}

/** What a host is asked for: a shell command run, or a file read without any program. */
export interface ControlRequest {
  readonly verb: 'RUN' | 'READ';
  /** The command, or the path. */
  readonly what: string;
}

/** The line that asks; the same line again changes nothing. */
export function requestLine(id: number, { verb, what }: ControlRequest): string {
  const encoded = Buffer.from(what).toString('base64');
  return `${verb} ${id} ${encoded.length} ${encoded}\n`;
}
