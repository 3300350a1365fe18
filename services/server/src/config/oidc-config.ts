import { type GroupGrant, parseGroupGrants } from '../sign-in/oidc/oidc-grants.ts';
import type { OidcSettings } from '../sign-in/oidc/oidc-settings.ts';
import { isLoopback } from './listen-address.ts';
import { readSecretFile } from './secret-file.ts';

/** How the identity provider is used. Secret: `clientSecret`. */
export interface OidcConfig extends OidcSettings {
  readonly groupGrants: readonly GroupGrant[];
  /** An account is made for who signs in for the first time and gets a right by a group. */
  readonly makesAccounts: boolean;
}

/** Values of the variables that belong to it, as the schema checked them. */
export interface OidcVariables {
  readonly MODFLEET_PUBLIC_URL?: string | undefined;
  readonly MODFLEET_OIDC_ISSUER?: string | undefined;
  readonly MODFLEET_OIDC_CLIENT_ID?: string | undefined;
  readonly MODFLEET_OIDC_CLIENT_SECRET_FILE?: string | undefined;
  readonly MODFLEET_OIDC_SCOPES: string;
  readonly MODFLEET_OIDC_GROUPS_CLAIM: string;
  readonly MODFLEET_OIDC_NAME_CLAIM: string;
  readonly MODFLEET_OIDC_GRANTS?: string | undefined;
  readonly MODFLEET_OIDC_MAKE_ACCOUNTS: 'yes' | 'no';
}

const CALLBACK_PATH = '/api/v1/oidc/callback';

/** @returns null where no provider is set up. Adds what is wrong to `problems`. */
export function oidcConfig(values: OidcVariables, problems: string[]): OidcConfig | null {
  const issuer = values.MODFLEET_OIDC_ISSUER;
  if (issuer === undefined) return null;
  const clientId = values.MODFLEET_OIDC_CLIENT_ID;
  const publicUrl = values.MODFLEET_PUBLIC_URL;
  if (clientId === undefined) problems.push('MODFLEET_OIDC_CLIENT_ID is not set, and MODFLEET_OIDC_ISSUER needs it');
  if (publicUrl === undefined)
    problems.push(
      'MODFLEET_PUBLIC_URL is not set, and MODFLEET_OIDC_ISSUER needs it: the address by which browsers reach this server',
    );
  if (!isSafeUrl(issuer))
    problems.push('MODFLEET_OIDC_ISSUER is no https:// URL (http:// only on loopback), or has a query or user in it');
  if (!values.MODFLEET_OIDC_SCOPES.split(' ').includes('openid'))
    problems.push('MODFLEET_OIDC_SCOPES has no "openid" in it: without it the provider does not say who it is');
  return {
    issuer,
    clientId: clientId ?? '',
    clientSecret: secretFromFile(values.MODFLEET_OIDC_CLIENT_SECRET_FILE, problems),
    scopes: values.MODFLEET_OIDC_SCOPES,
    groupsClaim: values.MODFLEET_OIDC_GROUPS_CLAIM,
    nameClaim: values.MODFLEET_OIDC_NAME_CLAIM,
    redirectUri: `${publicUrl ?? ''}${CALLBACK_PATH}`,
    groupGrants: groupGrants(values.MODFLEET_OIDC_GRANTS ?? '', problems),
    makesAccounts: values.MODFLEET_OIDC_MAKE_ACCOUNTS === 'yes',
  };
}

/** https, or http on loopback; nothing but an address and a path. */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, search, hash, username, password } = new URL(text);
  const plain = protocol === 'http:' && isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'));
  return (protocol === 'https:' || plain) && `${search}${hash}${username}${password}` === '';
}

function groupGrants(text: string, problems: string[]): GroupGrant[] {
  try {
    return parseGroupGrants(text);
  } catch (error) {
    problems.push(`MODFLEET_OIDC_GRANTS: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}

function secretFromFile(path: string | undefined, problems: string[]): string | undefined {
  const secret = readSecretFile('MODFLEET_OIDC_CLIENT_SECRET_FILE', path, problems);
  if (secret !== '') return secret;
  problems.push(`MODFLEET_OIDC_CLIENT_SECRET_FILE: ${path} is empty`);
  return undefined;
}
