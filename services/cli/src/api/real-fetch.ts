import type { Settings } from '../config/cli-config.ts';
import type { Fetch } from './http-api.ts';

/**
 * Node's own fetch (undici inside) is there at once; the undici package, whose loading takes longer than most answers, is loaded only where a
 * CA of our own must be trusted, which Node's fetch cannot.
 */
export function realFetch(settings: Settings): Fetch {
  const { ca } = settings;
  if (ca === undefined) return fetch;
  let loaded: Promise<Fetch> | undefined;
  return async (url, init) => (await (loaded ??= fetchTrusting(ca)))(url, init);
}

async function fetchTrusting(ca: string): Promise<Fetch> {
  const undici = await import('undici');
  // Idle connections are dropped at once: they would keep a finished command from ending.
  const dispatcher = new undici.Agent({ connect: { ca }, keepAliveTimeout: 1 });
  return (url, init) => undici.fetch(url, { ...init, dispatcher });
}
