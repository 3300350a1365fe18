import fc from 'fast-check';

/** RFC 9113 section 3.4. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** An HTTP/2 frame (RFC 9113 section 4.1); its length may lie. */
function frame(type: number, flags: number, stream: number, payload: Buffer, length = payload.length): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length & 0xffffff, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

const uint32 = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value >>> 0);
  return buffer;
};

const setting = (id: number, value: number): Buffer => Buffer.concat([Buffer.from([0, id]), uint32(value)]);

/** HPACK of POST to a path of ours, literal and without a table (RFC 7541 section 6.2.2). */
function requestHeaders(path: string): Buffer {
  const literal = (name: string, value: string): Buffer =>
    Buffer.concat([
      Buffer.from([0, name.length]),
      Buffer.from(name),
      Buffer.from([value.length & 0x7f]),
      Buffer.from(value),
    ]);
  return Buffer.concat([
    literal(':method', 'POST'),
    literal(':scheme', 'https'),
    literal(':path', path),
    literal(':authority', 'x'),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ]);
}

const CALL = requestHeaders('/modfleet.agent.v1.IdentityService/Challenge');
const SESSION = requestHeaders('/modfleet.agent.v1.SessionService/Session');
const END_HEADERS = 4;
const EMPTY_SETTINGS = frame(FRAME.settings, 0, 0, Buffer.alloc(0));

/** What is known to have hurt servers, once each (rapid reset, CONTINUATION flood, settings and ping floods, empty frames, zero windows). */
const KNOWN: readonly (readonly Buffer[])[] = [
  Array.from({ length: 400 }, (_, at) =>
    Buffer.concat([frame(FRAME.headers, END_HEADERS, 2 * at + 1, CALL), frame(FRAME.reset, 0, 2 * at + 1, uint32(8))]),
  ),
  [
    frame(FRAME.headers, 0, 1, CALL),
    ...Array.from({ length: 300 }, () => frame(FRAME.continuation, 0, 1, Buffer.from([0, 1, 0x61, 1, 0x62]))),
  ],
  Array.from({ length: 1_500 }, () => EMPTY_SETTINGS),
  Array.from({ length: 1_500 }, () => frame(FRAME.ping, 0, 0, Buffer.alloc(8))),
  [
    frame(FRAME.headers, END_HEADERS, 1, SESSION),
    ...Array.from({ length: 1_500 }, () => frame(FRAME.data, 0, 1, Buffer.alloc(0))),
  ],
  [frame(FRAME.settings, 0, 0, setting(4, 0)), frame(FRAME.headers, END_HEADERS | 1, 1, CALL)],
  [frame(FRAME.settings, 0, 0, setting(4, 2 ** 31))],
  [frame(FRAME.settings, 0, 0, setting(5, 0))],
  [frame(FRAME.settings, 0, 0, Buffer.concat(Array.from({ length: 2_000 }, (_, at) => setting(at & 0xff, at))))],
  [frame(FRAME.settings, 1, 0, Buffer.from([0]))],
  [frame(FRAME.headers, END_HEADERS, 1, CALL), frame(FRAME.windowUpdate, 0, 1, uint32(0))],
  [frame(FRAME.windowUpdate, 0, 0, uint32(2 ** 31 - 1)), frame(FRAME.windowUpdate, 0, 0, uint32(2 ** 31 - 1))],
  [frame(FRAME.priority, 0, 1, Buffer.concat([uint32(1), Buffer.from([255])]))],
  [frame(FRAME.data, 0, 0, Buffer.from('x'))],
  [frame(FRAME.data, 0, 99, Buffer.from('x'))],
  [frame(FRAME.pushPromise, END_HEADERS, 1, Buffer.concat([uint32(2), CALL]))],
  [frame(FRAME.headers, END_HEADERS, 2, CALL)],
  [frame(FRAME.headers, END_HEADERS | 8, 1, Buffer.concat([Buffer.from([255]), CALL]))],
  [frame(FRAME.headers, END_HEADERS, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))],
  [frame(FRAME.headers, END_HEADERS, 1, Buffer.from([0x3f, 0xff, 0xff, 0xff, 0xff, 0x7f]))],
  [frame(FRAME.goAway, 0, 0, Buffer.concat([uint32(0), uint32(0), Buffer.alloc(10_000)]))],
  [frame(FRAME.data, 0, 1, Buffer.alloc(100), 0xffffff)],
  [frame(0xaa, 0xff, 2 ** 31, Buffer.alloc(1_000))],
  [frame(FRAME.headers, END_HEADERS, 1, Buffer.alloc(0))],
  [frame(FRAME.headers, END_HEADERS, 1, SESSION), frame(FRAME.headers, END_HEADERS, 1, SESSION)],
];

const anyFrame = fc
  .record({
    type: fc.oneof({ weight: 8, arbitrary: fc.nat({ max: 9 }) }, fc.nat({ max: 255 })),
    flags: fc.nat({ max: 255 }),
    stream: fc.oneof(fc.constantFrom(0, 1, 3, 2, 2 ** 31 - 1, 2 ** 32 - 1), fc.nat()),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(CALL, SESSION),
    ),
    lie: fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, fc.nat({ max: 0xffffff })),
  })
  .map(({ type, flags, stream, payload, lie }) => frame(type, flags, stream, payload, lie ?? payload.length));

/** What goes over a TLS connection that says it speaks HTTP/2. */
export const hostileFrames: fc.Arbitrary<readonly Buffer[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...KNOWN).map((frames) => [PREFACE, EMPTY_SETTINGS, ...frames]) },
  {
    weight: 6,
    arbitrary: fc
      .array(anyFrame, { minLength: 1, maxLength: 12 })
      .map((frames) => [PREFACE, EMPTY_SETTINGS, ...frames]),
  },
  fc.array(anyFrame, { minLength: 1, maxLength: 4 }),
  fc.uint8Array({ minLength: 1, maxLength: 500 }).map((bytes) => [PREFACE, Buffer.from(bytes)]),
  fc.constant([Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n')]),
);

/** How a connection is opened, up to a session's stream, number 1. */
export const OPENED = Buffer.concat([PREFACE, EMPTY_SETTINGS, frame(FRAME.headers, END_HEADERS, 1, SESSION)]);

/** Bytes of that stream's body in one frame. */
export function dataFrame(body: Buffer): Buffer {
  return frame(FRAME.data, 0, 1, body);
}

/** Another session stream, with the beginning of its body. @param id odd, and higher than all before */
export function streamFrames(id: number, body: Buffer): Buffer {
  return Buffer.concat([frame(FRAME.headers, END_HEADERS, id, SESSION), frame(FRAME.data, 0, id, body)]);
}
