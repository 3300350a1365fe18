import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ActionRequest, type TrustBundle, trustBundleBytes } from '@modfleet/proto';
import { QuietLog } from '../actions/testing/simulated-host.ts';
import type { TrustedCas } from '../identity/trust.ts';
import { TestAuthority } from '../testing/test-authority.ts';
import { TestCommands } from '../testing/test-commands.ts';
import { HelperWorld } from './testing/helper-world.ts';
import { say } from './testing/say.ts';
import { learnCas } from './trusted-cas.ts';
import { type CourierWord, encodeCourierWord, type HelperWord } from './wire/strict-codec.ts';

let first: TestAuthority;
let second: TestAuthority;
let evil: TestAuthority;
beforeAll(async () => {
  [first, second, evil] = [await TestAuthority.create(), await TestAuthority.create(), await TestAuthority.create()];
});

const known = (generation: number, ...cas: TestAuthority[]): TrustedCas => ({
  generation,
  cas: cas.map((ca) => new X509Certificate(ca.der)),
});
function bundle(
  generation: number,
  cas: readonly TestAuthority[],
  changes: { readonly vouching?: readonly Buffer[]; readonly signer?: TestAuthority } = {},
): TrustBundle {
  const caCertificates = cas.map((ca) => ca.der);
  const signature = (changes.signer ?? cas[0])?.sign(trustBundleBytes(generation, caCertificates)) ?? Buffer.alloc(64);
  return { generation, caCertificates, vouchingCertificates: [...(changes.vouching ?? [])], signature, spreadMs: 0 };
}
const names = ({ generation, cas }: TrustedCas): unknown => [generation, cas.map((ca) => ca.fingerprint256)];

/** What is believed after these, and what was kept on the way. */
async function after(
  trust: TrustedCas,
  heard: readonly TrustBundle[],
  keep: (next: TrustedCas) => Promise<void> = () => Promise.resolve(),
): Promise<{ readonly believed: unknown; readonly kept: unknown[] }> {
  const kept: unknown[] = [];
  let now = trust;
  for (const one of heard) {
    now = await learnCas(now, one, new QuietLog(), async (next) => {
      await keep(next);
      kept.push(names(next));
    });
  }
  return { believed: names(now), kept };
}

describe('what the helper believes', () => {
  it('follows bundles of a CA that it believes: another comes, and the old one goes', async () => {
    const [both, turned, done] = [bundle(2, [first, second]), bundle(3, [second, first]), bundle(4, [second])];
    const { believed, kept } = await after(known(0, first), [both, both, turned, done]);
    expect(believed).toEqual(names(known(4, second)));
    expect(kept).toEqual([known(2, first, second), known(3, second, first), known(4, second)].map(names));
  });

  it('follows one for which a believed CA vouches, when it slept through the rest', async () => {
    const done = bundle(4, [second], { vouching: [await first.vouchFor(second)] });
    expect((await after(known(1, first), [done])).believed).toEqual(names(known(4, second)));
  });

  it.each<[string, () => Promise<TrustBundle> | TrustBundle]>([
    ['an older one', () => bundle(4, [second, first])],
    ['another one of the same number', () => bundle(5, [second, first])],
    ['one of a dropped CA', () => bundle(6, [first, second])],
    ['one of somebody else', () => bundle(6, [evil])],
    ['one that somebody else signed', () => bundle(6, [second, evil], { signer: evil })],
    ['one for which somebody else vouches', async () => bundle(6, [evil], { vouching: [await evil.vouchFor(evil)] })],
    ['one with a CA slipped in', () => ({ ...bundle(6, [second]), caCertificates: [second.der, evil.der] })],
    ['one with another number', () => ({ ...bundle(6, [second]), generation: 7 })],
    ['no certificates', () => ({ ...bundle(6, [second]), caCertificates: [] })],
    ['bytes that are none', () => ({ ...bundle(6, [second]), caCertificates: [Buffer.from('x')] })],
    ['no signature', () => ({ ...bundle(6, [second]), signature: Buffer.alloc(0) })],
  ])('stays as it is when it hears %s', async (_what, make) => {
    const trust = known(5, second);
    expect(await after(trust, [await make()])).toEqual({ believed: names(trust), kept: [] });
  });

  it('stays as it is where the disk takes nothing, and follows once it does', async () => {
    let isFull = true;
    const keep = (): Promise<void> =>
      isFull ? Promise.reject(new Error('ENOSPC: no space left on device')) : Promise.resolve();
    const both = bundle(2, [first, second]);
    expect(await after(known(0, first), [both], keep)).toEqual({ believed: names(known(0, first)), kept: [] });
    isFull = false;
    expect((await after(known(0, first), [both], keep)).believed).toEqual(names(known(2, first, second)));
  });
});

describe('a connection', () => {
  it('takes commands of another CA from the bundle on, and none of the CA that a bundle dropped', async () => {
    const world = new HelperWorld();
    const other = await TestCommands.create();
    const request = (number: number) => world.unsigned({ actionId: `00000000-0000-4000-8000-00000000000${number}` });
    const trust = (value: TrustBundle): CourierWord => ({ $case: 'trust', value });
    const submit = (value: ActionRequest): CourierWord => ({ $case: 'submit', value });
    const both = bundle(2, [world.commands.ca, other.ca]);
    const words = await say(
      world,
      [
        world.opening(),
        submit(other.sign(request(1))),
        trust(bundle(9, [evil])),
        submit(other.sign(request(2))),
        trust(both),
        submit(other.sign(request(3))),
        submit(world.commands.sign(request(4))),
        trust(bundle(3, [other.ca, world.commands.ca])),
        trust(bundle(4, [other.ca])),
        trust(both),
        submit(world.commands.sign(request(5))),
      ].map(encodeCourierWord),
    );
    const ids = (kind: HelperWord['$case']): (string | undefined)[] =>
      words.flatMap((word) =>
        word.$case === kind && (word.$case === 'rejected' || word.$case === 'result')
          ? [word.value.actionId.slice(-1)]
          : [],
      );
    expect(ids('rejected')).toEqual(['1', '2', '5']);
    expect(ids('result').toSorted()).toEqual(['3', '4']);
    expect(JSON.stringify(words)).toContain('signature_invalid');
    expect(world.kernel.effects).toHaveLength(1);
  });
});
