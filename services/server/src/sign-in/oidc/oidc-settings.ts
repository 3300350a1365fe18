/** How this server uses an identity provider. Secret: `clientSecret`. */
export interface OidcSettings {
  /** Its issuer identifier, a URL: `/.well-known/openid-configuration` is asked below it. */
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined: a public client, which PKCE alone protects. */
  readonly clientSecret: string | undefined;
  readonly scopes: string;
  /** Claim with the names of the person's groups: a list, or one text. */
  readonly groupsClaim: string;
  /** Claim that a new account is named by. */
  readonly nameClaim: string;
  /** Where the provider sends the browser back to: PUBLIC_URL/api/v1/oidc/callback. */
  readonly redirectUri: string;
}

/** Who the provider says somebody is. Issuer and subject are the identity; everything else may change, and be chosen by its owner. */
export interface OidcIdentity {
  readonly issuer: string;
  readonly subject: string;
  /** Value of the name claim; undefined where there is none. */
  readonly name: string | undefined;
  readonly groups: readonly string[];
}
