import { describe, expect, it } from 'vitest';
import { cookieOf, setCookie, SIGN_IN_COOKIE } from './cookies.ts';
import { isSameOrigin } from './same-origin.ts';

describe('cookies', () => {
  it('are found by their whole name', () => {
    const header = 'x__Host-modfleet=no; a=b=c;__Host-modfleet=yes; __Host-modfleet-oidc=other; empty=';
    expect(cookieOf(header, '__Host-modfleet')).toBe('yes');
    expect(cookieOf(header, 'a')).toBe('b=c');
    expect(cookieOf(header, 'empty')).toBe('');
    expect(cookieOf(header, 'b')).toBeUndefined();
    expect(cookieOf(undefined, 'a')).toBeUndefined();
  });

  it('are for this host, for scripts unreadable, and for other sites unusable', () => {
    expect(setCookie(SIGN_IN_COOKIE, 'v', 60.5, 'Strict')).toBe(
      '__Host-modfleet=v; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=60',
    );
  });
});

describe('where a request comes from', () => {
  const ours = 'https://modfleet.example.org';
  it.each([
    [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://modfleet.example.org' }, true],
    [{ origin: 'https://modfleet.example.org' }, true],
    [{ origin: 'HTTPS://Modfleet.example.org' }, true],
    [{ origin: 'http://127.0.0.1:7780' }, false],
    [{ 'sec-fetch-site': 'same-origin', origin: 'http://evil.example' }, false],
    [{ 'sec-fetch-site': 'same-site' }, false],
    [{ 'sec-fetch-site': 'cross-site', origin: 'https://modfleet.example.org' }, false],
    [{ 'sec-fetch-site': 'none' }, false],
    [{ origin: 'https://wiki.example.org' }, false],
    [{ origin: 'https://modfleet.example.org.evil.example' }, false],
    [{ origin: 'http://modfleet.example.org' }, false],
    [{ origin: 'null' }, false],
    [{}, false],
  ])('%j: %s', (headers, expected) => {
    expect(isSameOrigin(headers, ours)).toBe(expected);
  });
});
