import path from 'node:path';
import type { ReadOutcome } from './host-files.ts';

/** As the kernel's limit. */
const MAX_LINKS = 40;

/** What stands at a path whose folders are resolved. `plain`: a file or a folder. */
export type Standing = 'nothing' | 'plain' | { readonly link: string } | { readonly errno: string };

/** The path without links, in a tree that is told of by `look`; what fails on the way fails with it. */
export function resolvePath(hostPath: string, look: (resolved: string) => Standing): ReadOutcome<string> {
  const pending = hostPath.split('/');
  let resolved = '/';
  let links = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    if (part === '' || part === '.') continue;
    const next = part === '..' ? path.posix.dirname(resolved) : path.posix.join(resolved, part);
    const found = look(next);
    if (found === 'nothing') return { kind: 'not_found' };
    if (found === 'plain') resolved = next;
    else if ('errno' in found) return failure(found.errno);
    else {
      if (++links > MAX_LINKS) return failure('ELOOP');
      if (found.link.startsWith('/')) resolved = '/';
      pending.unshift(...found.link.split('/'));
    }
  }
  return { kind: 'ok', value: resolved };
}

/** A read that failed with this errno. */
export function failure(errno: string): Exclude<ReadOutcome<never>, { kind: 'ok' }> {
  return errno === 'EACCES' || errno === 'EPERM' ? { kind: 'denied', errno } : { kind: 'error', errno, message: errno };
}
