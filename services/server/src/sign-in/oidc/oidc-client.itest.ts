import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Browser, CLIENT_ID, CLIENT_SECRET, IdentityProvider, OTHER_CLIENT_ID } from '../testing/identity-provider.ts';
import { OidcClient } from './oidc-client.ts';
import type { OidcSettings } from './oidc-settings.ts';

const REDIRECT_URI = 'https://modfleet.example.org/api/v1/oidc/callback';

let provider: IdentityProvider;
beforeAll(async () => {
  provider = await IdentityProvider.start({ redirectUri: REDIRECT_URI });
});
afterAll(() => provider.stop());
beforeEach(() => {
  provider.person = { subject: 'sub-1', name: 'kim', email: 'kim@example.org', groups: ['sre', 'oncall'] };
});

const settings = (changes: Partial<OidcSettings> = {}): OidcSettings => ({
  issuer: provider.issuer,
  clientId: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
  scopes: 'openid profile',
  groupsClaim: 'groups',
  nameClaim: 'preferred_username',
  redirectUri: REDIRECT_URI,
  ...changes,
});

/** A browser goes to the provider and comes back. */
async function visit(oidc: OidcClient, browser = new Browser()) {
  const { url, checks } = await oidc.authorization();
  const back = await browser.open(url.href, REDIRECT_URI);
  return { query: new URL(back.url).search.slice(1), checks };
}

/** A fetch that changes what the provider's token endpoint answers. */
function tampering(change: (body: Record<string, unknown>) => Promise<void> | void) {
  return async (url: string, init: object): Promise<Response> => {
    const response = await fetch(url, init as RequestInit);
    if (!url.endsWith('/token')) return response;
    const body = (await response.json()) as Record<string, unknown>;
    await change(body);
    return Response.json(body, { status: response.status });
  };
}

const problem = async (work: Promise<unknown>): Promise<{ code: string; message: string }> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error)) throw new Error('it went well');
  const text = JSON.stringify(error, Object.getOwnPropertyNames(error));
  expect(text).not.toContain(CLIENT_SECRET);
  expect(text).not.toMatch(/eyJ[A-Za-z0-9_-]{10}/);
  return { code: (error as { code?: string }).code ?? '', message: error.message };
};

describe('a browser', () => {
  it('comes back as who the provider says, with name and groups', async () => {
    const oidc = new OidcClient(settings());
    const { query, checks } = await visit(oidc);
    expect(await oidc.identityOf(query, checks)).toEqual({
      issuer: provider.issuer,
      subject: 'sub-1',
      name: 'kim',
      groups: ['sre', 'oncall'],
    });
  });

  it('is sent with PKCE, state and nonce, each its own', async () => {
    const oidc = new OidcClient(settings());
    const [one, two] = [await oidc.authorization(), await oidc.authorization()];
    const query = one.url.searchParams;
    expect(query.get('code_challenge_method')).toBe('S256');
    expect(query.get('redirect_uri')).toBe(REDIRECT_URI);
    expect([query.get('state'), query.get('nonce')]).toEqual([one.checks.state, one.checks.nonce]);
    expect(one.url.href).not.toContain(one.checks.verifier);
    for (const name of ['state', 'nonce', 'verifier'] as const) expect(one.checks[name]).not.toBe(two.checks[name]);
  });

  it.each(['state', 'nonce', 'verifier'] as const)('with the %s of another browser is refused', async (name) => {
    const oidc = new OidcClient(settings());
    const other = await oidc.authorization();
    const { query, checks } = await visit(oidc);
    const mixed = { ...checks, [name]: other.checks[name] };
    expect((await problem(oidc.identityOf(query, mixed))).code).toBe('oidc_refused');
  });

  it('cannot use a code twice', async () => {
    const oidc = new OidcClient(settings());
    const { query, checks } = await visit(oidc);
    await oidc.identityOf(query, checks);
    expect(await problem(oidc.identityOf(query, checks))).toEqual({
      code: 'oidc_refused',
      message: 'the identity provider did not sign you in: the code was used already, or is too old; begin again',
    });
  });

  it('whose person refuses is told so', async () => {
    const oidc = new OidcClient(settings());
    provider.person = null;
    const { query, checks } = await visit(oidc);
    expect((await problem(oidc.identityOf(query, checks))).message).toContain('it answered access_denied');
  });

  it('with an answer of another issuer is refused (RFC 9207)', async () => {
    const oidc = new OidcClient(settings());
    const { query, checks } = await visit(oidc);
    const other = new URLSearchParams(query);
    other.set('iss', 'https://evil.example.org');
    expect((await problem(oidc.identityOf(other.toString(), checks))).code).toBe('oidc_refused');
  });
});

describe('an identity token', () => {
  /** A real token of the same provider and person, made for another client. */
  async function tokenForWiki(): Promise<string> {
    let token = '';
    const wiki = new OidcClient(
      settings({ clientId: OTHER_CLIENT_ID }),
      tampering((body) => void (token = String(body['id_token']))),
    );
    const { query, checks } = await visit(wiki);
    await wiki.identityOf(query, checks);
    return token;
  }

  const refusedWith = async (change: (body: Record<string, unknown>) => Promise<void> | void) => {
    const oidc = new OidcClient(settings(), tampering(change));
    const { query, checks } = await visit(oidc);
    return problem(oidc.identityOf(query, checks));
  };

  it('for another client is refused', async () => {
    const token = await tokenForWiki();
    expect(await refusedWith((body) => void (body['id_token'] = token))).toMatchObject({
      code: 'oidc_refused',
      message: expect.stringContaining('issuer, audience or nonce') as string,
    });
  });

  it('that was changed is refused: its signature is checked', async () => {
    const seen = await refusedWith((body) => {
      const [head = '', claims = '', signature = ''] = String(body['id_token']).split('.');
      const changed = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
      changed['sub'] = 'sub-of-the-admin';
      body['id_token'] = [head, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.');
    });
    expect(seen.code).toBe('oidc_refused');
  });

  it('without a signature is refused', async () => {
    const seen = await refusedWith((body) => {
      const [, claims = ''] = String(body['id_token']).split('.');
      body['id_token'] = [Buffer.from('{"alg":"none"}').toString('base64url'), claims, ''].join('.');
    });
    expect(seen.code).toBe('oidc_refused');
  });

  it('that is missing is refused', async () => {
    expect((await refusedWith((body) => void delete body['id_token'])).code).toBe('oidc_refused');
  });

  it.each([
    [70, 'an hour and ten minutes old', 'oidc_refused'],
    [64, 'an hour and four minutes old: five of skew are allowed', 'taken'],
    [-4, 'from a clock that is four minutes ahead', 'taken'],
    [-6, 'from a clock that is six minutes ahead', 'oidc_refused'],
  ])('%i minutes: %s: %s', async (minutes, _words, expected) => {
    const talkative = await IdentityProvider.start({ redirectUri: REDIRECT_URI, claimsInToken: true });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    try {
      const later = Date.now() + minutes * 60_000;
      const oidc = new OidcClient(
        settings({ issuer: talkative.issuer }),
        tampering(() => void vi.setSystemTime(later)),
      );
      const { query, checks } = await visit(oidc);
      const outcome = await oidc.identityOf(query, checks).then(
        () => 'taken',
        (error: { code: string }) => error.code,
      );
      expect(outcome).toBe(expected);
    } finally {
      vi.useRealTimers();
      await talkative.stop();
    }
  });
});

describe('the provider', () => {
  it('may restart with other keys: the next sign-in needs no wait', async () => {
    const oidc = new OidcClient(settings());
    const first = await visit(oidc);
    await oidc.identityOf(first.query, first.checks);
    await provider.restart();
    const second = await visit(oidc);
    expect((await oidc.identityOf(second.query, second.checks)).subject).toBe('sub-1');
  });

  it('that restarts while somebody is there sends them back to begin again', async () => {
    const oidc = new OidcClient(settings());
    const { query, checks } = await visit(oidc);
    await provider.restart();
    expect((await problem(oidc.identityOf(query, checks))).code).toBe('oidc_refused');
  });

  it('away is said so, with when to come again, and nothing is remembered of it', async () => {
    const oidc = new OidcClient(settings());
    await provider.stop();
    expect(await problem(oidc.authorization())).toMatchObject({
      code: 'oidc_unavailable',
      message: expect.stringContaining('sign in with a password or an API token') as string,
    });
    await provider.restart();
    await expect(oidc.authorization()).resolves.toBeDefined();
    const { query, checks } = await visit(oidc);
    await provider.stop();
    expect((await problem(oidc.identityOf(query, checks))).code).toBe('oidc_unavailable');
    await provider.restart();
  });

  it('that does not take our secret is the operators’ to mend, not the person’s', async () => {
    const oidc = new OidcClient(settings({ clientSecret: 'another' }));
    const { query, checks } = await visit(oidc);
    expect((await problem(oidc.identityOf(query, checks))).message).toContain('MODFLEET_OIDC_*');
  });

  it('at another address than its issuer says is not believed', async () => {
    const oidc = new OidcClient(settings({ issuer: `http://localhost:${provider.port}` }));
    expect((await problem(oidc.authorization())).code).toMatch(/^oidc_/);
  });
});

describe('a command line (RFC 8628)', () => {
  it('waits until the person has agreed at the provider', async () => {
    const oidc = new OidcClient(settings());
    const started = await oidc.startDevice();
    expect(started.userCode).toMatch(/^[A-Z]{4}-[A-Z]{4}$/);
    expect(await oidc.pollDevice(started.deviceCode)).toEqual({ state: 'pending', slower: false });
    const page = await new Browser().confirmDevice(started.verificationUri, started.userCode);
    expect(page).toContain('Sign-in Success');
    expect(await oidc.pollDevice(started.deviceCode)).toMatchObject({
      state: 'done',
      identity: { subject: 'sub-1', groups: ['sre', 'oncall'] },
    });
    expect((await problem(oidc.pollDevice(started.deviceCode))).code).toBe('oidc_refused');
    expect((await problem(oidc.pollDevice('made-up'))).code).toBe('oidc_refused');
  });

  it('is told when the provider has no such way', async () => {
    const without = await IdentityProvider.start({ redirectUri: REDIRECT_URI, deviceGrant: false });
    try {
      const oidc = new OidcClient(settings({ issuer: without.issuer }));
      expect((await problem(oidc.startDevice())).message).toContain('no device authorization');
    } finally {
      await without.stop();
    }
  });
});
