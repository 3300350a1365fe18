import { randomInt } from 'node:crypto';
import { request } from 'node:http';
import type { TestFleet } from '../../e2e/support/fleet.ts';

/** An address of this machine that hardly anybody else has: all of 127.0.0.0/8 is loopback on Linux. */
export function ownLoopback(): string {
  return `127.${randomInt(10, 120)}.${randomInt(1, 250)}.${randomInt(1, 250)}`;
}

/** POST of JSON to the fleet's API from this address, without a credential. */
export function postFrom(
  address: string,
  fleet: TestFleet,
  path: string,
  body: object,
): Promise<{ status: number; cookie: string; body: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const call = request(
      `${fleet.http}${path}`,
      { method: 'POST', localAddress: address, headers: { 'content-type': 'application/json' } },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.once('error', reject).once('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            cookie: answer.headers['set-cookie']?.[0]?.split(';', 1)[0] ?? '',
            body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
          }),
        );
      },
    );
    call.once('error', reject).end(JSON.stringify(body));
  });
}
