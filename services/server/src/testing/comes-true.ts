import { vi } from 'vitest';

/** Asks again until `look` throws nothing any more. The limit is generous: it ends a test that hangs, it measures nothing. */
export function comesTrue<T>(look: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(look, { timeout: 30_000, interval: 50 });
}
