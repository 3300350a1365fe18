import type { AccountItem, WaysLeft } from '@modfleet/server/api-types';
import { clean } from '../output/clean.ts';
import { count, list } from '../output/words.ts';

/** A server of an earlier version does not say it. */
type WaysIn = Partial<Pick<AccountItem, 'password' | 'identities'>>;

const PASSWORDS = {
  none: [],
  one_time: ['one-time password'],
  own: ['password'],
  broken: ['password (changed outside the server)'],
} as const satisfies Record<AccountItem['password'], readonly string[]>;

/** What an account signs in with, one word or identity each. */
export function waysInWords({ password = 'none', identities = [] }: WaysIn): string[] {
  return [
    ...PASSWORDS[password],
    ...identities.map(
      ({ subject, issuer, sealed }) => `${subject} at ${issuer}${sealed ? '' : ' (changed outside the server)'}`,
    ),
  ];
}

/** What became of the API tokens of an account when one of its ways in was ended; nothing where none is left. A server of an earlier version does not say it. */
export function tokenLines(
  name: string,
  { tokensEnded = 0, apiTokens = 0 }: { readonly tokensEnded?: number; readonly apiTokens?: number },
  again: string,
): string[] {
  if (tokensEnded > 0) return [`${count(tokensEnded, 'API token')} of ${clean(name)} ended with it.`];
  if (apiTokens === 0) return [];
  const tokens = `${count(apiTokens, 'API token')} of ${clean(name)} ${apiTokens === 1 ? 'goes' : 'go'} on being good`;
  return [
    `${tokens}: modfleet tokens list --account ${clean(name)}`,
    `  end one: modfleet tokens revoke TOKEN; all at once: ${clean(again)}`,
  ];
}

/** What is left to an account after a way in was taken away, and what to look at. */
export function leftLines(name: string, left: WaysLeft): string[] {
  const words = waysInWords(left);
  const signsIn =
    words.length > 0 ? `${name} still signs in with: ${list(words)}.` : `${name} has no way to sign in now.`;
  const tokens = `${count(left.apiTokens, 'API token')} of it still ${left.apiTokens === 1 ? 'works' : 'work'}`;
  const grants = `${count(left.groupGrants, 'grant')} that the provider's groups gave ${left.groupGrants === 1 ? 'holds until its end' : 'hold until their ends'}`;
  return [
    clean(signsIn),
    ...(left.apiTokens > 0 ? [`  ${tokens}: modfleet tokens list --account ${clean(name)}`] : []),
    // With an identity left they are renewed at its next sign-in.
    ...(left.groupGrants > 0 && left.identities.length === 0
      ? [`  ${grants}: modfleet grants list --account ${clean(name)}`]
      : []),
  ];
}
