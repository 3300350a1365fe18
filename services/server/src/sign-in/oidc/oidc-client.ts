/**
 * Signing in through an identity provider: OpenID Connect Core 1.0 with authorization code and PKCE (RFC 7636) for browsers, the device authorization
 * grant (RFC 8628) for the command line.
 *
 * INVARIANTS
 * - An identity token is believed only when its signature, issuer, audience, times and (for browsers) nonce hold; also one that came over TLS from the
 *   token endpoint itself, where OpenID Connect would let the signature go unchecked.
 * - The provider's keys are read anew for each sign-in: those are few, and a provider that changed its keys needs no waiting for a cache.
 * - Nothing of a code, a token or a secret is in what is thrown.
 */
import * as client from 'openid-client';
import { isLoopback } from '../../config/listen-address.ts';
import { AppError } from '../../errors/app-error.ts';
import { oidcProblem } from './oidc-errors.ts';
import type { OidcIdentity, OidcSettings } from './oidc-settings.ts';

/** What the browser is sent with, and what must come back. All three are secrets of that browser. */
export interface AuthorizationChecks {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export interface DeviceStart {
  /** Secret: whoever has it gets the sign-in. */
  readonly deviceCode: string;
  readonly userCode: string;
  readonly verificationUri: string;
  /** With the code in it; undefined where the provider has none. */
  readonly verificationUriComplete: string | undefined;
  readonly expiresInSeconds: number;
  readonly intervalSeconds: number;
}

export type DevicePoll =
  { readonly state: 'pending'; readonly slower: boolean } | { readonly state: 'done'; readonly identity: OidcIdentity };

/** 5 minutes: what hosts are allowed as well. */
const CLOCK_TOLERANCE_S = 300;
/** A person waits for the page. */
const TIMEOUT_S = 10;
/** What a provider can do changes when it is upgraded. */
const METADATA_LIFETIME_MS = 600_000;
/** RFC 8628 section 3.2: where the provider names none. */
const DEVICE_INTERVAL_S = 5;
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
/** Names of groups that are looked at; a person in more has them cut. */
const GROUPS_MAX = 1_000;

export class OidcClient {
  readonly #settings: OidcSettings;
  readonly #fetch: client.CustomFetch | undefined;
  #metadata: { readonly server: client.ServerMetadata; readonly readAt: number } | undefined;

  /** @param fetch for tests that stand between. */
  constructor(settings: OidcSettings, fetch?: client.CustomFetch) {
    this.#settings = settings;
    this.#fetch = fetch;
  }

  /** Where to send the browser. @throws AppError oidc_unavailable. */
  async authorization(): Promise<{ readonly url: URL; readonly checks: AuthorizationChecks }> {
    return this.#explained(async () => {
      const configuration = await this.#configuration();
      const checks = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
      };
      const url = client.buildAuthorizationUrl(configuration, {
        redirect_uri: this.#settings.redirectUri,
        scope: this.#settings.scopes,
        response_type: 'code',
        state: checks.state,
        nonce: checks.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(checks.verifier),
        code_challenge_method: 'S256',
      });
      return { url, checks };
    });
  }

  /**
   * Exchanges the code that the browser came back with.
   *
   * @param query of the callback, as it came. @throws AppError oidc_refused, oidc_unavailable.
   */
  async identityOf(query: string, checks: AuthorizationChecks): Promise<OidcIdentity> {
    return this.#explained(async () => {
      const configuration = await this.#configuration();
      const tokens = await client.authorizationCodeGrant(
        configuration,
        new URL(`${this.#settings.redirectUri}?${query}`),
        {
          expectedState: checks.state,
          expectedNonce: checks.nonce,
          pkceCodeVerifier: checks.verifier,
          idTokenExpected: true,
        },
      );
      return this.#identity(configuration, tokens);
    });
  }

  /** @throws AppError oidc_unavailable, also where the provider has no such grant. */
  async startDevice(): Promise<DeviceStart> {
    return this.#explained(async () => {
      const configuration = await this.#configuration();
      if (configuration.serverMetadata().device_authorization_endpoint === undefined)
        throw new AppError(
          'oidc_unavailable',
          'the identity provider has no device authorization (RFC 8628): sign in with a password (modfleet login --user NAME) or an API token',
        );
      const started = await client.initiateDeviceAuthorization(configuration, { scope: this.#settings.scopes });
      return {
        deviceCode: started.device_code,
        userCode: started.user_code,
        verificationUri: started.verification_uri,
        verificationUriComplete: started.verification_uri_complete,
        expiresInSeconds: started.expires_in,
        intervalSeconds: started.interval ?? DEVICE_INTERVAL_S,
      };
    });
  }

  /** Asks once. @throws AppError oidc_refused, oidc_unavailable. */
  async pollDevice(deviceCode: string): Promise<DevicePoll> {
    return this.#explained(async () => {
      const configuration = await this.#configuration();
      try {
        const tokens = await client.genericGrantRequest(configuration, DEVICE_GRANT, { device_code: deviceCode });
        return { state: 'done', identity: await this.#identity(configuration, tokens) };
      } catch (error) {
        if (!(error instanceof client.ResponseBodyError)) throw error;
        if (error.error === 'authorization_pending') return { state: 'pending', slower: false };
        if (error.error === 'slow_down') return { state: 'pending', slower: true };
        throw error;
      }
    });
  }

  async #identity(
    configuration: client.Configuration,
    tokens: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers,
  ): Promise<OidcIdentity> {
    const token = tokens.claims();
    if (token === undefined)
      throw new AppError('oidc_refused', 'the identity provider sent no identity token: scope openid is needed');
    if (token.iat > Date.now() / 1000 + CLOCK_TOLERANCE_S)
      throw new AppError(
        'oidc_refused',
        'the identity provider sent a token from the future: its clock and this server’s are more than 5 minutes apart',
      );
    const { groupsClaim, nameClaim } = this.#settings;
    let claims: Readonly<Record<string, unknown>> = token;
    // Many providers keep groups and names out of the identity token, for its size.
    const isAll = groupsClaim in claims && nameClaim in claims;
    if (!isAll && configuration.serverMetadata().userinfo_endpoint !== undefined)
      claims = { ...(await client.fetchUserInfo(configuration, tokens.access_token, token.sub)), ...token };
    const name = claims[nameClaim];
    return {
      issuer: token.iss,
      subject: token.sub,
      name: typeof name === 'string' ? name : undefined,
      groups: groupsOf(claims[groupsClaim]),
    };
  }

  /** A configuration of its own for each call: with it the library reads the keys anew. */
  async #configuration(): Promise<client.Configuration> {
    const { clientId, clientSecret } = this.#settings;
    const server = await this.#serverMetadata();
    const configuration = new client.Configuration(
      server,
      clientId,
      { [client.clockTolerance]: CLOCK_TOLERANCE_S },
      clientAuthentication(server, clientSecret),
    );
    configuration.timeout = TIMEOUT_S;
    if (this.#fetch !== undefined) configuration[client.customFetch] = this.#fetch;
    if (this.#isPlain()) client.allowInsecureRequests(configuration);
    client.enableNonRepudiationChecks(configuration);
    return configuration;
  }

  async #serverMetadata(): Promise<client.ServerMetadata> {
    const now = performance.now();
    if (this.#metadata !== undefined && now - this.#metadata.readAt < METADATA_LIFETIME_MS)
      return this.#metadata.server;
    const discovered = await client.discovery(
      new URL(this.#settings.issuer),
      this.#settings.clientId,
      undefined,
      client.None(),
      {
        timeout: TIMEOUT_S,
        ...(this.#fetch === undefined ? {} : { [client.customFetch]: this.#fetch }),
        ...(this.#isPlain() ? { execute: [client.allowInsecureRequests] } : {}),
      },
    );
    // A plain copy: the library hangs functions on its own.
    const { supportsPKCE: _function, ...server } = discovered.serverMetadata();
    this.#metadata = { server, readAt: now };
    return server;
  }

  /** Settings allow plain HTTP on loopback only. */
  #isPlain(): boolean {
    const { protocol, hostname } = new URL(this.#settings.issuer);
    return protocol === 'http:' && isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'));
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw oidcProblem(error);
    }
  }
}

/** RFC 8414 section 2: where the provider says nothing, client_secret_basic is meant. */
function clientAuthentication(server: client.ServerMetadata, secret: string | undefined): client.ClientAuth {
  if (secret === undefined) return client.None();
  const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  return methods.includes('client_secret_basic') ? client.ClientSecretBasic(secret) : client.ClientSecretPost(secret);
}

function groupsOf(claim: unknown): string[] {
  const list: unknown[] = Array.isArray(claim) ? claim : [claim];
  return list.filter((group) => typeof group === 'string').slice(0, GROUPS_MAX);
}
