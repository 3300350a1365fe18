import { randomUUID } from 'node:crypto';
import type { ApiAnswer, TestFleet } from '../../e2e/support/fleet.ts';

/** A token that may do everything, made on the server's own machine. */
export async function madeToken(fleet: TestFleet): Promise<string> {
  const end = await fleet.serverCommand('token', 'create', '--name', `fuzz ${randomUUID().slice(0, 8)}`);
  if (end.code !== 0) throw new Error(`token create: ${end.stderr}`);
  return end.stdout.trim().split('\n').at(-1) ?? '';
}

/** The API for those who look after the world that is fuzzed. Who fuzzes as an admin ends tokens, this one's too: another is made then. */
export class AdminDoor {
  readonly #fleet: TestFleet;
  #token = '';

  constructor(fleet: TestFleet) {
    this.#fleet = fleet;
  }

  async api(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    if (this.#token === '') this.#token = await madeToken(this.#fleet);
    const first = await this.#fleet.api(method, path, body, { authorization: `Bearer ${this.#token}` });
    if (first.status !== 401 && first.status !== 403) return first;
    this.#token = await madeToken(this.#fleet);
    return this.#fleet.api(method, path, body, { authorization: `Bearer ${this.#token}` });
  }

  /** @throws when the answer is not of this status. */
  async must(status: number, method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const answer = await this.api(method, path, body);
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
}
