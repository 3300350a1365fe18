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
 * themselves; a page cannot. Each that is there has to agree, since a name that somebody points at this server is the same origin to its own pages. Where
 * neither is there the answer is no.
 *
 * @param ours origin of this server: MODFLEET_PUBLIC_URL, else as it is called by.
 */
export function isSameOrigin(headers: OriginHeaders, ours: string): boolean {
  const { origin, 'sec-fetch-site': site } = headers;
  if (origin !== undefined && origin.toLowerCase() !== ours) return false;
  return site === undefined ? origin !== undefined : site === 'same-origin';
}
