import fc from 'fast-check';
import { hostileFrames } from './frames.ts';
import { type ForeignIds, messageBytes } from './messages.ts';

/** Which door: sessions of hosts (mutual TLS), or joining and diagnosis. */
export type Door = 'session' | 'identity';

/** One thing that somebody does to a listener. */
export type Attack =
  /** Bytes instead of TLS; `stay`: then silence on an open connection. */
  | {
      readonly kind: 'no TLS' | 'half a handshake';
      readonly door: Door;
      readonly bytes: Buffer;
      readonly stay: boolean;
    }
  /** Bytes inside TLS, below gRPC. */
  | { readonly kind: 'HTTP/2 frames'; readonly door: Door; readonly bytes: readonly Buffer[] }
  /** An HTTP/2 request whose body is whatever. */
  | {
      readonly kind: 'gRPC call';
      readonly door: Door;
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: readonly Buffer[];
      readonly hangUp: boolean;
    }
  /** Well framed messages on one stream. */
  | {
      readonly kind: 'messages';
      readonly door: 'session';
      readonly hello: boolean;
      readonly messages: readonly Buffer[];
    }
  /** Many streams at once. */
  | { readonly kind: 'session flood'; readonly door: 'session'; readonly streams: number }
  /** A byte now and then. */
  | { readonly kind: 'slow'; readonly door: Door; readonly bytes: Buffer };

/** The beginning of a TLS 1.3 ClientHello, as far as a hostile client cares to send it. */
const CLIENT_HELLO = Buffer.from('16030100c8010000c40303', 'hex');

const door = fc.constantFrom<Door>('session', 'identity');

const PATHS = [
  '/modfleet.agent.v1.SessionService/Session',
  '/modfleet.agent.v1.ConfirmService/Confirm',
  '/modfleet.agent.v1.IdentityService/Enroll',
  '/modfleet.agent.v1.IdentityService/Challenge',
  '/modfleet.agent.v1.IdentityService/Diagnose',
  '/modfleet.agent.v1.IdentityService/Renew',
];

const ODD_PATHS = [
  '/',
  '',
  '//',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.health.v1.Health/Check',
  '/modfleet.agent.v1.SessionService/../x',
  `/${'x'.repeat(8_000)}`,
];

/** A gRPC length prefix and message; the prefix may lie. */
function framed(
  message: Buffer,
  { flag, length }: { readonly flag: number; readonly length: number | undefined },
): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE((length ?? message.length) >>> 0, 1);
  return Buffer.concat([prefix, message]);
}

const prefix = fc.record({
  flag: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.constantFrom(1, 2, 255)),
  length: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    fc.constantFrom(0, 1, 2 ** 20 + 1, 2 ** 31, 2 ** 32 - 1),
    fc.nat({ max: 300 }),
  ),
});

const headers = fc.constantFrom<Record<string, string>>(
  {},
  {},
  {},
  { 'content-type': 'text/html' },
  { 'content-type': 'application/grpc-web+json' },
  { 'grpc-encoding': 'gzip' },
  { 'grpc-encoding': 'x'.repeat(100) },
  { 'grpc-timeout': '0n' },
  { 'grpc-timeout': '99999999999H' },
  { 'grpc-timeout': '1n' },
  { 'user-agent': 'x'.repeat(4_000) },
  { 'grpc-trace-bin': '!!!' },
  { 'x-bin': 'AAAA', te: 'nonsense' },
  { authorization: 'Bearer mfl_x', host: 'evil.example' },
  Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`x-flood-${at}`, 'y'.repeat(20)])),
);

export function anyAttack(foreign: ForeignIds): fc.Arbitrary<Attack> {
  const message = messageBytes(foreign);
  const body = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.tuple(message, prefix).map(([one, lie]) => framed(one, lie)) },
      fc.uint8Array({ maxLength: 100 }).map((raw) => Buffer.from(raw)),
    ),
    { maxLength: 5 },
  );
  const noise = fc.uint8Array({ maxLength: 600 }).map((raw) => Buffer.from(raw));
  const textual = fc
    .constantFrom(
      'GET / HTTP/1.1\r\nhost: x\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n',
      'SSH-2.0-x\r\n',
    )
    .map((line) => Buffer.from(line));
  const hello = fc
    .tuple(fc.nat({ max: CLIENT_HELLO.length }), noise)
    .map(([at, tail]) => Buffer.concat([CLIENT_HELLO.subarray(0, at), tail]));
  return fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('no TLS' as const),
        door,
        bytes: fc.oneof(noise, textual),
        stay: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('half a handshake' as const), door, bytes: hello, stay: fc.boolean() }),
    },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('HTTP/2 frames' as const), door, bytes: hostileFrames }) },
    {
      weight: 7,
      arbitrary: fc.record({
        kind: fc.constant('gRPC call' as const),
        door,
        path: fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...PATHS) }, fc.constantFrom(...ODD_PATHS)),
        headers,
        body,
        hangUp: fc.boolean(),
      }),
    },
    {
      weight: 10,
      arbitrary: fc.record({
        kind: fc.constant('messages' as const),
        door: fc.constant('session' as const),
        hello: fc.boolean(),
        messages: fc.array(
          message.map((one) => framed(one, { flag: 0, length: undefined })),
          { minLength: 1, maxLength: 8 },
        ),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('session flood' as const),
        door: fc.constant('session' as const),
        streams: fc.integer({ min: 9, max: 60 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('slow' as const), door, bytes: hello }) },
  );
}

export { framed };
