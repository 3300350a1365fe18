import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

/** Who signs in at the provider. */
export interface Person {
  readonly subject: string;
  readonly name?: string;
  readonly email?: string;
  readonly groups?: readonly string[];
}

export interface ProviderOptions {
  /** Where it may send browsers back to. */
  readonly redirectUri: string;
  /** Claims stand in the identity token too, not in userinfo alone. */
  readonly claimsInToken?: boolean;
  readonly deviceGrant?: boolean;
}

export const CLIENT_ID = 'modfleet';
export const CLIENT_SECRET = 'canary-client-secret-7bVq2mXw';
/** Another program's client at the same provider. */
export const OTHER_CLIENT_ID = 'wiki';

/**
 * A real OpenID Connect provider (the package oidc-provider, certified by the OpenID Foundation) in this process, on a free port of the loopback. Whoever
 * comes is `person`, and agrees to everything; `person` null: refuses.
 */
export class IdentityProvider {
  readonly port: number;
  readonly options: ProviderOptions;
  readonly people = new Map<string, Person>();
  person: Person | null = { subject: 'sub-1', name: 'kim', email: 'kim@example.org', groups: ['sre'] };
  #server: Server | undefined;

  private constructor(port: number, options: ProviderOptions) {
    this.port = port;
    this.options = options;
  }

  static async start(options: ProviderOptions): Promise<IdentityProvider> {
    const probe = createServer();
    await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
    const { port } = probe.address() as AddressInfo;
    await new Promise((done) => probe.close(done));
    const provider = new IdentityProvider(port, options);
    await provider.restart();
    return provider;
  }

  get issuer(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends it, and begins another with other keys and without memory, at the same address. */
  async restart(): Promise<void> {
    await this.stop();
    const provider = new Provider(this.issuer, this.#configuration());
    const serve = provider.callback();
    this.#server = createServer((request, response) => {
      if (request.url?.startsWith('/interaction/') === true)
        this.#interact(provider, request, response).catch((error: unknown) =>
          response.writeHead(500).end(String(error)),
        );
      else serve(request, response);
    });
    await new Promise<void>((done) => this.#server?.listen(this.port, '127.0.0.1', done));
    // This process's fetch keeps connections to the one before; a read finds out, and is harmless.
    for (let isOld = true; isOld;)
      isOld = await fetch(`${this.issuer}/jwks`).then(
        async (response) => (await response.text()) === '',
        () => true,
      );
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }

  async #interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (this.person === null) return provider.interactionFinished(request, response, { error: 'access_denied' });
    if (prompt.name === 'login') {
      this.people.set(this.person.subject, this.person);
      return provider.interactionFinished(request, response, { login: { accountId: this.person.subject } });
    }
    const grant = new provider.Grant({
      accountId: session?.accountId ?? this.person.subject,
      clientId: String(params['client_id']),
    });
    grant.addOIDCScope(String(params['scope']));
    const grantId = await grant.save();
    return provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true });
  }

  #configuration(): Record<string, unknown> {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const kid = randomBytes(8).toString('hex');
    const client = {
      client_secret: CLIENT_SECRET,
      redirect_uris: [this.options.redirectUri],
      grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
    };
    return {
      clients: [
        { ...client, client_id: CLIENT_ID },
        { ...client, client_id: OTHER_CLIENT_ID },
      ],
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] },
      ttl: {
        AccessToken: 3600,
        AuthorizationCode: 60,
        IdToken: 3600,
        DeviceCode: 600,
        Grant: 3600,
        Interaction: 600,
        Session: 3600,
      },
      cookies: { keys: ['provider-cookie-key'] },
      claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email'] },
      conformIdTokenClaims: this.options.claimsInToken !== true,
      features: {
        devInteractions: { enabled: false },
        deviceFlow: { enabled: this.options.deviceGrant !== false },
      },
      interactions: { url: (_context: unknown, interaction: { uid: string }) => `/interaction/${interaction.uid}` },
      findAccount: (_context: unknown, accountId: string) => {
        const person = this.people.get(accountId);
        return {
          accountId,
          claims: () => ({
            sub: accountId,
            preferred_username: person?.name,
            email: person?.email,
            groups: person?.groups,
          }),
        };
      },
    };
  }
}

/** A browser: follows redirects by hand, keeps the cookies of each origin. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>();

  /** Goes on until an answer is no redirect, or leads to `stopAt`: then that address is returned unasked. */
  async open(url: string, stopAt: string | undefined): Promise<{ url: string; response: Response | undefined }> {
    let next = new URL(url);
    for (let hops = 0; hops < 20; hops += 1) {
      if (stopAt !== undefined && next.href.startsWith(stopAt)) return { url: next.href, response: undefined };
      const response = await this.request(next.href);
      const location = response.headers.get('location');
      if (location === null) return { url: next.href, response };
      next = new URL(location, next);
    }
    throw new Error(`redirects without end: ${next.href}`);
  }

  async request(url: string, init: RequestInit = {}): Promise<Response> {
    const jar = this.#jar(url);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { ...(cookie === '' ? {} : { cookie }), ...(init.headers as Record<string, string> | undefined) },
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';', 1);
      const at = pair.indexOf('=');
      const value = pair.slice(at + 1);
      if (value === '' || /max-age=0/i.test(line)) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), value);
    }
    return response;
  }

  /** The person types the code at the provider, looks at it, and agrees. */
  async confirmDevice(verificationUri: string, userCode: string): Promise<string> {
    const page = await (await this.request(verificationUri)).text();
    const typed = await this.#post(verificationUri, { xsrf: xsrfOf(page), user_code: userCode });
    const confirmed = await this.#post(verificationUri, {
      xsrf: xsrfOf(typed.text),
      user_code: userCode,
      confirm: 'yes',
    });
    const location = confirmed.response.headers.get('location');
    if (location === null) return confirmed.text;
    const end = await this.open(new URL(location, verificationUri).href, undefined);
    return (await end.response?.text()) ?? '';
  }

  async #post(url: string, fields: Record<string, string>): Promise<{ response: Response; text: string }> {
    const response = await this.request(url, { method: 'POST', body: new URLSearchParams(fields) });
    return { response, text: await response.text() };
  }

  #jar(url: string): Map<string, string> {
    const { origin } = new URL(url);
    const jar = this.#cookies.get(origin) ?? new Map<string, string>();
    this.#cookies.set(origin, jar);
    return jar;
  }
}

function xsrfOf(page: string): string {
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(page)?.[1];
  if (xsrf === undefined) throw new Error(`the provider's page has no form: ${page.slice(0, 200)}`);
  return xsrf;
}
