import {
  ActionPhase,
  Facet,
  HostFacts,
  KmodEventKind,
  Outcome,
  SessionRequest,
  encodeFacet,
  sha256,
} from '@modfleet/proto';
import fc from 'fast-check';
import { HOSTILE_TEXTS } from '../http/hostile.ts';

/** What exists on the server and belongs to others: an attacker may know it. */
export interface ForeignIds {
  readonly hosts: readonly string[];
  readonly actions: readonly string[];
}

type HostMessage = NonNullable<SessionRequest['message']>;
type Partial_ = Parameters<typeof SessionRequest.fromPartial>[0];

const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 40 }) },
  fc.constantFrom(...HOSTILE_TEXTS),
  fc.constantFrom('x'.repeat(100_000), '\u0000'.repeat(10), '\u2028'.repeat(600)),
);
const bytes = fc
  .oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
    fc.constantFrom(new Uint8Array(0), new Uint8Array(300_000)),
  )
  .map((value) => Buffer.from(value));
const count = fc.oneof(fc.nat(), fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1, Number.MAX_SAFE_INTEGER));
const small = fc.oneof(fc.nat({ max: 100 }), fc.constantFrom(2 ** 31 - 1));
/** Some, or as many of one as make a message of a few hundred KB: the limit is 1 MiB. */
const MANY_BYTES = 300_000;
const many = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.oneof(
    { weight: 9, arbitrary: fc.array(one, { maxLength: 4 }) },
    one.map((value) => {
      const size = (JSON.stringify(value) ?? '').length + 4;
      return Array.from({ length: Math.min(3_000, Math.floor(MANY_BYTES / size)) }, () => value);
    }),
  );
const facet = fc.oneof(fc.constantFrom(1, 2, 3, 4, 5), fc.constantFrom(0, 6, 99, -1)) as fc.Arbitrary<Facet>;
const facetStatus = fc.record({ facet, digest: bytes, observedAgeMs: count, incapableReason: text });

const facts = fc
  .record({
    hostname: text,
    machineId: text,
    bootId: text,
    kernelRelease: text,
    osId: text,
    mode: fc.oneof(fc.constantFrom('act', 'observe'), text),
    policy: fc.record({ allow: many(text), deny: many(text), protected: many(text) }),
    journal: small,
  })
  .map((value) => HostFacts.fromPartial(value as never));

/** A value of a facet with its own digest, or another's. */
const loaded = fc
  .record({
    name: fc.oneof(fc.constantFrom('floppy', 'loop', 'A-B'), text),
    size: count,
    right: fc.boolean(),
    digest: bytes,
  })
  .map(({ name, size, right, digest }) => {
    const whole = Buffer.from(
      encodeFacet(Facet.FACET_LOADED, {
        kmods: [{ name, buildId: 'ab', size, taint: '', srcversion: '', version: '', state: 1 }] as never,
      }),
    );
    return {
      facet: Facet.FACET_LOADED,
      digest: right ? Buffer.from(sha256(whole)) : digest,
      observedAgeMs: 0,
      content: { $case: 'whole' as const, value: whole },
    };
  });

const contents = fc.oneof(
  fc.record({ $case: fc.constant('whole'), value: bytes }),
  fc.record({
    $case: fc.constant('delta'),
    value: fc.record({ baseDigest: bytes, removed: many(text), upserted: bytes }),
  }),
  fc.record({
    $case: fc.constant('chunk'),
    value: fc.record({ contentDigest: bytes, totalBytes: count, offset: count, data: bytes }),
  }),
  fc.record({ $case: fc.constant('digestOnly'), value: fc.constant({}) }),
);

/** What a host claims to trust. */
const trustState = fc.record({ generation: count, caFingerprints: many(bytes), certificateCa: bytes });

/** Any message of a host, well formed as protobuf, with values of any sort. */
export function anyMessage(foreign: ForeignIds): fc.Arbitrary<HostMessage> {
  const actionId = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...foreign.actions) }, fc.uuid(), text);
  const verdict = fc.record({
    allowed: fc.boolean(),
    decidedBy: text,
    findings: many(fc.record({ layer: small, code: text, refuses: fc.boolean(), message: text })),
    plan: many(fc.record({ kind: text, kmod: text, because: text })),
  });
  const cases: Record<HostMessage['$case'], fc.Arbitrary<unknown>> = {
    hello: fc.record(
      {
        facts,
        facets: many(facetStatus),
        unacknowledgedResults: many(actionId),
        openActions: many(actionId),
        tombstonesDigest: bytes,
        boottimeMs: count,
        trust: trustState,
      },
      { requiredKeys: [] },
    ),
    trustState,
    heartbeat: fc.record({ boottimeMs: count, facets: many(facetStatus) }),
    facetUpdate: fc.oneof(loaded, fc.record({ facet, digest: bytes, observedAgeMs: count, content: contents })),
    kmodEvents: fc.record({
      events: many(
        fc.record({
          kmod: text,
          kind: fc.constantFrom(KmodEventKind.KMOD_EVENT_KIND_LOADED, KmodEventKind.KMOD_EVENT_KIND_UNLOADED, 77),
          ageMs: count,
          actionId,
          source: text,
        }),
      ),
      lost: fc.boolean(),
    }),
    pong: fc.record({ token: count }),
    facts,
    actionProgress: fc.record({
      actionId,
      phase: fc.constantFrom(ActionPhase.ACTION_PHASE_STARTED, ActionPhase.ACTION_PHASE_CONFIRM_PENDING, 0, 50),
      verdict,
      confirmDeadlineMs: count,
    }),
    actionResult: fc.record({
      actionId,
      requestDigest: bytes,
      outcome: fc.constantFrom(Outcome.OUTCOME_SUCCEEDED, Outcome.OUTCOME_REFUSED, 0, 99),
      dryRun: fc.boolean(),
      verdict,
      message: text,
      reasonCode: text,
      kernelLog: many(text),
      startedAtMs: count,
      finishedAtMs: count,
    }),
    queryAnswer: fc.record({
      queryId: fc.oneof(fc.uuid(), text),
      kmods: many(fc.record({ name: text, presence: small, reason: text, holders: many(text) })),
      error: text,
    }),
  };
  return fc.oneof(
    ...Object.entries(cases).map(([$case, value]) => value.map((made) => ({ $case, value: made }) as HostMessage)),
  );
}

/** The bytes of a message; some with a few of them changed. */
export function messageBytes(foreign: ForeignIds): fc.Arbitrary<Buffer> {
  const whole = anyMessage(foreign).map((message) =>
    Buffer.from(SessionRequest.encode(SessionRequest.fromPartial({ message } as Partial_)).finish()),
  );
  const changed = fc
    .tuple(
      whole,
      fc.array(fc.record({ at: fc.nat(), to: fc.nat({ max: 255 }) }), { minLength: 1, maxLength: 6 }),
      fc.nat(),
    )
    .map(([buffer, changes, cut]) => {
      const copy = Buffer.from(buffer);
      for (const { at, to } of changes) if (copy.length > 0) copy[at % copy.length] = to;
      return cut % 3 === 0 ? copy.subarray(0, cut % (copy.length + 1)) : copy;
    });
  return fc.oneof(
    { weight: 5, arbitrary: whole },
    { weight: 3, arbitrary: changed },
    fc.uint8Array({ maxLength: 200 }).map((random) => Buffer.from(random)),
  );
}
