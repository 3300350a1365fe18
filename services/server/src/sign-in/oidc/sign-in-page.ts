/** What a browser is shown on its way back from the identity provider: no scripts, nothing from elsewhere. */
export interface SignInPage {
  readonly title: string;
  readonly text: string;
  /** Where to go on, and what the link is called. */
  readonly link: { readonly href: string; readonly text: string };
  /** Goes there by itself. */
  readonly goesOn: boolean;
}

export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

export function renderSignInPage({ title, text, link, goesOn }: SignInPage): string {
  const href = escaped(link.href);
  // The browser goes on from a page of this server: a redirect from the provider's would be sent without the new cookie, which is SameSite=Strict.
  const refresh = goesOn ? `<meta http-equiv="refresh" content="0; url=${href}">` : '';
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">${refresh}<title>modfleet: ${escaped(title)}</title></head>
<body><h1>${escaped(title)}</h1><p>${escaped(text)}</p><p><a href="${href}">${escaped(link.text)}</a></p></body>
</html>
`;
}

function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replaceAll(/[&<>"']/g, (character) => names[character] ?? '');
}
