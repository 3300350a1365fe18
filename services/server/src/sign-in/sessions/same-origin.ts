/** Headers that tell where a browser's request comes from. */
export interface OriginHeaders {
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
}

/**
 * Whether a request that a cookie vouches for was made by a page of this server.
 *
 * A cookie is sent by the browser, whoever made the page; SameSite=Strict keeps other sites from using it, and this, looked at by the server, keeps out what
 * a browser without SameSite, or another program under the same site (wiki.example.org beside modfleet.example.org), would send. Browsers set both headers
 * themselves; a page cannot. Where neither is there the answer is no.
 *
 * @param ours origins of this server: as it is called by, and MODFLEET_PUBLIC_URL.
 */
export function isSameOrigin(headers: OriginHeaders, ours: readonly string[]): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  return headers.origin !== undefined && ours.includes(headers.origin.toLowerCase());
}
