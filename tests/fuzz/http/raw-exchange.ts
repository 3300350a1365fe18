import { connect } from 'node:net';
import type { KnownValues } from './known-values.ts';
import type { PlannedRequest } from './planned-request.ts';

/** An answer as it came over the line. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** False: the connection ended or was left within the answer. */
  readonly whole: boolean;
}

/** What went over the line, and what came back; undefined: the connection was closed without a word. */
export interface Exchange {
  readonly sent: string;
  readonly answer: RawAnswer | undefined;
}

/** An event stream never ends by itself: so long is listened to it. */
const STREAM_MS = 150;
/** In the head of an answer; the OpenAPI document has the words in its body. */
const EVENT_STREAM = /^content-type: text\/event-stream/m;
/** Ends a call that hangs, which is a fault of its own: the server's limit for a whole request is 30 s. */
const HANG_MS = 45_000;
/** Answers are at most a page of 1,000. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

/** The bytes of a request. */
export function requestBytes(
  request: PlannedRequest,
  credentials: readonly (readonly [name: string, value: string])[],
  known: KnownValues,
): Buffer {
  const target = known.fill(request.target, encodeURIComponent);
  const body =
    request.body === undefined || typeof request.body !== 'string'
      ? Buffer.from(request.body ?? '')
      : Buffer.from(known.fill(request.body, (value) => JSON.stringify(value).slice(1, -1)));
  const newline = request.framing === 'bare-newlines' ? '\n' : '\r\n';
  const version = request.framing === 'http-2' ? ' HTTP/2.0' : request.framing === 'http-0.9' ? '' : ' HTTP/1.1';
  const lines = [`${request.method} ${target}${version}`];
  if (request.framing !== 'no-host' && !request.headers.some(([name]) => name === 'host'))
    lines.push('host: 127.0.0.1');
  for (const [name, value] of credentials) lines.push(`${name}: ${value}`);
  if (!request.headers.some(([name]) => name === 'connection')) lines.push('connection: close');
  for (const [name, value] of request.headers) lines.push(`${name}: ${known.fill(value)}`);
  const framed = framedBody(request, body);
  return Buffer.concat([
    Buffer.from([...lines, ...framed.lines].join(newline) + newline + newline, 'latin1'),
    framed.bytes,
  ]);
}

function framedBody(
  request: PlannedRequest,
  body: Buffer,
): { readonly lines: readonly string[]; readonly bytes: Buffer } {
  const chunked = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]);
  const length = `content-length: ${body.length}`;
  switch (request.framing) {
    case 'chunked':
      return { lines: ['transfer-encoding: chunked'], bytes: body.length === 0 ? Buffer.from('0\r\n\r\n') : chunked };
    case 'cut':
      return { lines: [`content-length: ${body.length + 10}`], bytes: body };
    case 'bad-chunk':
      return {
        lines: ['transfer-encoding: chunked'],
        bytes: Buffer.concat([Buffer.from('zz\r\n'), body, Buffer.from('\r\n0\r\n\r\n')]),
      };
    case 'length-and-chunked':
      return { lines: [length, 'transfer-encoding: chunked'], bytes: chunked };
    case 'two-lengths':
      return { lines: [length, `content-length: ${body.length + 5}`], bytes: body };
    case 'negative-length':
      return { lines: ['content-length: -1'], bytes: body };
    case 'space-in-name':
      return { lines: [`content-length : ${body.length}`], bytes: body };
    case 'folded-header':
      return { lines: ['x-folded: a', ' b', length], bytes: body };
    default:
      return { lines: request.body === undefined ? [] : [length], bytes: body };
  }
}

/**
 * Sends bytes on a connection of their own, and reads what comes back until it ends.
 *
 * @param cut the request is cut off where its bytes end. Else this side stays open: the server takes a half-closed line for a caller that has left.
 */
export function exchange(port: number, bytes: Buffer, cut: boolean): Promise<Exchange> {
  const sent = bytes.toString('latin1');
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    const closes = sent.includes('\nconnection: close');
    let size = 0;
    let stream: NodeJS.Timeout | undefined;
    const hang = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no end of the answer within ${HANG_MS / 1000} s to:\n${sent.slice(0, 2_000)}`));
    }, HANG_MS);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > ANSWER_BYTES_MAX) socket.destroy();
      if (stream === undefined && EVENT_STREAM.test(chunk.toString('latin1')))
        stream = setTimeout(() => socket.destroy(), STREAM_MS);
      if (!closes && isWhole(chunks)) socket.destroy();
    });
    socket.once('close', () => {
      clearTimeout(hang);
      clearTimeout(stream);
      resolve({ sent, answer: parseAnswer(Buffer.concat(chunks)) });
    });
    if (cut) socket.end(bytes);
    else socket.write(bytes);
  });
}

/** Where the connection is not asked to end after the answer. */
function isWhole(chunks: readonly Buffer[]): boolean {
  try {
    return parseAnswer(Buffer.concat(chunks))?.whole === true;
  } catch {
    return false;
  }
}

/** Reads the answer with our own few lines: a library would forgive what we look for. */
function parseAnswer(bytes: Buffer): RawAnswer | undefined {
  let rest = bytes;
  for (;;) {
    if (rest.length === 0) return undefined;
    const end = rest.indexOf('\r\n\r\n');
    const [first = '', ...lines] = rest.subarray(0, Math.max(0, end)).toString('latin1').split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1] ?? NaN);
    if (end === -1 || Number.isNaN(status))
      throw new Error(`no HTTP answer: ${rest.subarray(0, 200).toString('latin1')}`);
    rest = rest.subarray(end + 4);
    if (status >= 100 && status < 200) continue;
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const body = headers.get('transfer-encoding') === 'chunked' ? dechunked(rest) : { bytes: rest, whole: true };
    const length = headers.get('content-length');
    return {
      status,
      headers,
      body: body.bytes.toString('utf8'),
      whole: body.whole && (length === undefined || body.bytes.length === Number(length)),
    };
  }
}

function dechunked(bytes: Buffer): { readonly bytes: Buffer; readonly whole: boolean } {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    if (lineEnd === -1 || Number.isNaN(size)) return { bytes: Buffer.concat(parts), whole: false };
    if (size === 0) return { bytes: Buffer.concat(parts), whole: true };
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
