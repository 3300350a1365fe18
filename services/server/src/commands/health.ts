import { readFile } from 'node:fs/promises';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { join } from 'node:path';
import type { ServerConfig } from '../config/server-config.ts';

const LIMIT_MS = 4_000;

/**
 * Asks the server of this state folder whether it is ready; for health checks of containers and services.
 *
 * @returns one line that says how it stands, and whether it is ready.
 */
export async function health(
  config: Pick<ServerConfig, 'stateDir' | 'httpTls'>,
): Promise<{ ready: boolean; line: string }> {
  const file = join(config.stateDir, 'listening.json');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return { ready: false, line: `not listening yet: there is no ${file}` };
  const { http } = JSON.parse(text) as { http: string };
  const port = http.slice(http.lastIndexOf(':') + 1);
  const path = `//127.0.0.1:${port}/readyz`;
  return new Promise((done) => {
    // It is this container's own server on its own loopback: which certificate it shows says nothing about its health.
    const options = { timeout: LIMIT_MS, rejectUnauthorized: false };
    const asked =
      config.httpTls === null ? plainRequest(`http:${path}`, options) : tlsRequest(`https:${path}`, options);
    asked.once('response', (answer) => {
      answer.resume();
      done({ ready: answer.statusCode === 200, line: `readyz answered ${answer.statusCode}` });
    });
    asked.once('timeout', () => asked.destroy(new Error(`no answer within ${LIMIT_MS} ms`)));
    asked.once('error', (error) => done({ ready: false, line: error.message }));
    asked.end();
  });
}
