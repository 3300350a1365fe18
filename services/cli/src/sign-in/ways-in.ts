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
