import { isIP } from 'node:net';
import { z } from 'zod';

/** True for 127.0.0.0/8, ::1 and localhost. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** `host:port`, `[v6]:port`; port 0 means any free one. */
export const listenAddress = z.string().transform((text, context) => {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    context.addIssue({ code: 'custom', message: 'is not HOST:PORT, for example 127.0.0.1:7780 or [::1]:7780' });
    return z.NEVER;
  }
  return { host: match[1] ?? match[2] ?? '', port };
});
