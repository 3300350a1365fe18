/*
 * Cookies of browsers (RFC 6265bis). The prefix __Host- has the browser refuse them from any other host, path or plain connection; browsers take the
 * loopback for a secure one.
 */

/** Sign-in of a browser. Strict: no request that another site begins carries it. */
export const SIGN_IN_COOKIE = '__Host-modfleet';
/** A browser that is on its way to the identity provider. Lax: it comes back from another site. */
export const OIDC_COOKIE = '__Host-modfleet-oidc';

/** The value of a cookie; undefined where there is none. Of several with one name the first, as browsers order them. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/** @param seconds 0 removes it. */
export function setCookie(name: string, value: string, seconds: number, sameSite: 'Strict' | 'Lax'): string {
  return `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=${sameSite}; Max-Age=${Math.max(0, Math.floor(seconds))}`;
}
