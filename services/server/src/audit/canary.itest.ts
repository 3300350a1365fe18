import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTE_TABLE } from '../access/route-table.ts';
import type { CreatedJoinToken } from '../api-types.ts';
import { AgentListeners } from '../agent-session/agent-listeners.service.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { EnrollmentService } from '../enrollment/enrollment.service.ts';
import { ApiServer } from '../testing/api-server.ts';
import { Fleet } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { TestAgent } from '../testing/test-agent.ts';
import { AuditWatch } from './audit-watch.service.ts';

/**
 * Secrets in every input, and then a look for them everywhere. Those with a form of their own (tokens, join strings, private keys) are sent in every place
 * that takes a text, right and wrong. Those without one (the database's password, the passphrase) are given as settings: nobody can tell a password from a
 * reason that somebody typed.
 */
const PASSPHRASE = 'canary-passphrase-0123456789abcdef';

let server: ApiServer;
let logged = '';
let databasePassword = '';
let folder: string;
onTestDatabase(async (url) => {
  databasePassword = decodeURIComponent(new URL(url).password);
  folder = await mkdtemp(join(tmpdir(), 'modfleet-canary-'));
  await writeFile(join(folder, 'passphrase'), PASSPHRASE);
  const settings = { MODFLEET_LOG_LEVEL: 'trace', MODFLEET_KEY_PASSPHRASE_FILE: join(folder, 'passphrase') };
  return (server = await ApiServer.start(url, settings, { write: (line: string) => void (logged += line) }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Answers of the API, but the one that has to hold the join string. */
const answers: string[] = [];
const secrets = new Map<string, string>();
let joinString = '';
let repeated = '';

beforeAll(async () => {
  await new Fleet(server.app).add({ name: 'web-1', labels: { env: 'prod' } });
  const key = randomUUID();
  const create = () =>
    server.call<CreatedJoinToken>('POST', '/api/v1/join-tokens', {
      body: { maxUses: 5 },
      headers: { 'idempotency-key': key },
    });
  joinString = (await create()).body.joinString;
  // Again: what is stored for a repetition is sealed.
  repeated = (await create()).body.joinString;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  secrets.set('API token', server.token);
  secrets.set('join string', joinString);
  secrets.set('join token', joinString.split('.')[0] ?? '');
  secrets.set('private key', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().trim());
});

/** A watch that was let in never ends by itself. */
const ENDLESS_MS = 1_000;

async function send(method: string, url: string, headers: Record<string, string>, payload?: string): Promise<void> {
  const isEndless = url.startsWith('/api/v1/events/watch');
  const asked = server.app.inject({
    method: method as 'GET',
    url,
    headers,
    ...(payload === undefined ? {} : { payload }),
    ...(isEndless ? { signal: AbortSignal.timeout(ENDLESS_MS) } : {}),
  });
  // What it was refused with is an answer like any other; what it began to tell is left.
  const answer = isEndless ? await asked.catch(() => undefined) : await asked;
  if (answer !== undefined) answers.push(JSON.stringify(answer.headers), answer.payload);
}

/** A body in which every text is `secret`. */
const bodies = (secret: string): unknown[] => [
  { host: secret, verb: 'unload', kmod: 'floppy' },
  { host: 'web-1', verb: secret, kmod: secret },
  { host: 'web-1', verb: 'unload', kmod: 'floppy', reason: secret },
  { host: 'web-1', verb: 'load', kmod: 'floppy', parameters: { a: secret, [secret]: 'b' } },
  { reason: secret },
  { name: secret },
  { name: 'x', labels: { a: secret } },
  { selector: secret, labels: { a: 'b' } },
  { hosts: [secret], labels: { a: 'b' } },
  { all: true, kmods: [secret] },
  { [secret]: secret },
  [secret],
  secret,
];

describe('canary secrets', () => {
  it('are sent through every input', async () => {
    expect(repeated).toBe(joinString);
    const bearer = { authorization: `Bearer ${server.token}` };
    for (const secret of secrets.values()) {
      const word = encodeURIComponent(secret);
      const header = secret.replaceAll('\n', ' ');
      for (const route of Object.keys(ROUTE_TABLE)) {
        const [method = '', pattern = ''] = route.split(' ');
        if (pattern === '/api/v1/openapi.json') continue;
        const path = pattern.replaceAll(/:\w+/g, word);
        const json = { ...bearer, 'content-type': 'application/json', 'idempotency-key': randomUUID() };
        await send(method, `${path}?selector=${word}&name=${word}&cursor=${word}&limit=${word}&${word}=1`, bearer);
        if (method === 'GET') {
          for (const query of ['selector', 'name', 'cursor', 'limit', 'kmod', 'host', 'who', 'since'])
            await send(method, `${path}?${query}=${word}`, bearer);
          continue;
        }
        for (const body of bodies(secret))
          await send(method, path, { ...json, 'idempotency-key': randomUUID() }, JSON.stringify(body));
        await send(method, path, { ...json, 'idempotency-key': header }, '{}');
        await send(method, path, json, `{"reason": "${secret}`);
        await send(method, path, { ...json, 'content-type': header }, '{}');
      }
      for (const authorization of [`Bearer ${header}x`, `Basic ${header}`, header, `Bearer ${header} ${header}`])
        await send('GET', '/api/v1/hosts', { authorization });
      await send('GET', '/api/v1/hosts', {
        ...bearer,
        'user-agent': header,
        'x-request-id': header,
        cookie: header,
        accept: header,
      });
      await send('GET', `/${word}`, {});
      await send('GET', `/${word}`, bearer);
    }
    expect(answers.length).toBeGreaterThan(1_000);
  });

  it('are sent over gRPC, in the right field and in wrong ones', async () => {
    const identityAddress = server.app.get(AgentListeners).identityAddress ?? '';
    expect(identityAddress).not.toBe('');
    const side = { identityAddress, ca: server.app.get(CertificateAuthority) } as never;
    const agent = await TestAgent.create('canary');
    await agent.enroll(side, joinString.split('.')[0] ?? '');
    for (const secret of secrets.values()) {
      const stranger = await TestAgent.create(secret);
      const refused = await stranger.enroll(side, joinString.split('.')[0] ?? '').catch((error: unknown) => error);
      const unknown = await agent.enroll(side, `${secret}x`).catch((error: unknown) => error);
      answers.push(String(refused), String((refused as { details?: unknown }).details), String(unknown));
      const csr = await server.app
        .get(EnrollmentService)
        .enroll(joinString, Buffer.from(secret), {} as never, 'test')
        .catch((error: unknown) => error);
      answers.push(String(csr));
    }
  });

  it('are in no answer, no log line, no table and no metric', async () => {
    secrets.set('passphrase', PASSPHRASE);
    secrets.set('password of the database', databasePassword);
    for (const part of ['keys', 'ca'])
      for (const file of await readdir(join(server.stateDir, part))) {
        const text = await readFile(join(server.stateDir, part, file), 'utf8');
        if (text.includes('PRIVATE KEY')) secrets.set(`${part}/${file}`, text);
      }
    expect([...secrets.keys()]).toEqual(expect.arrayContaining(['keys/command.key', 'keys/seal.key', 'ca/ca.key']));
    secrets.set(
      'bootstrap token',
      (await readFile(join(server.stateDir, 'admin-token'), 'utf8').catch(() => server.token)).trim(),
    );
    await server.app.get(AuditWatch).round();
    const metrics = (await server.app.inject({ method: 'GET', url: '/metrics' })).payload;
    expect(metrics).toContain('modfleet_audit_alarm');
    expect(logged.length).toBeGreaterThan(100_000);
    const places = new Map([
      ['answers', answers.join('\n')],
      ['log', logged],
      ['database', await dump()],
      ['metrics', metrics],
      ['exported seals', await readFile(join(server.stateDir, 'audit', 'seals.jsonl'), 'utf8')],
    ]);
    const found: string[] = [];
    for (const [place, text] of places)
      for (const [name, secret] of secrets)
        for (const spelled of spellings(secret)) if (text.includes(spelled)) found.push(`${name} in ${place}`);
    expect(found).toEqual([]);
  });
});

/** As it is; as JSON, in a URL, and as bytes in hex and base64 write it; for keys, a line of their middle. */
function spellings(secret: string): string[] {
  const line = secret.split('\n')[1] ?? secret;
  return [...new Set([secret, line])].flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    encodeURIComponent(text),
    Buffer.from(text).toString('hex'),
    Buffer.from(text).toString('base64').replace(/=+$/, '').slice(0, -1),
  ]);
}

/** Every row of every table, as text. */
async function dump(): Promise<string> {
  const tables = await server.database.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('public', 'audit')`,
  );
  const texts: string[] = [];
  for (const { name } of tables)
    texts.push(
      ...(await server.database.query<{ row: string }>(`SELECT t::text AS row FROM ${name} AS t`)).map(
        ({ row }) => row,
      ),
    );
  expect(texts.length).toBeGreaterThan(20);
  return texts.join('\n');
}
