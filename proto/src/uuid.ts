const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a text is a UUID as the server writes it: in lower case (RFC 9562, 4). Postgres refuses other text instead of finding nothing. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
