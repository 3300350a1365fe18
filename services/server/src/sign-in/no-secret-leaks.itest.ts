import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { ApiServer } from '../testing/api-server.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { clientSecretFile } from './testing/client-secret-file.ts';
import { Browser, CLIENT_ID, CLIENT_SECRET, IdentityProvider } from './testing/identity-provider.ts';
import { addPerson, hashCheaply, logIn, PASSWORD } from './testing/people.ts';

const PUBLIC_URL = 'https://modfleet.example.org';
const CALLBACK = `${PUBLIC_URL}/api/v1/oidc/callback`;

let postgres: TestPostgres;
let provider: IdentityProvider;
let server: ApiServer;
const written: string[] = [];
const secretFile = clientSecretFile();
const stdout = vi.spyOn(process.stdout, 'write');

/** Everything that the server writes at its most talkative, and everything that it answers. */
beforeAll(async () => {
  postgres = await startTestPostgres();
  provider = await IdentityProvider.start({ redirectUri: CALLBACK });
  stdout.mockImplementation((chunk) => {
    written.push(String(chunk));
    return true;
  });
  server = await ApiServer.start((await postgres.createDatabase()).url, {
    MODFLEET_LOG_LEVEL: 'trace',
    MODFLEET_PUBLIC_URL: PUBLIC_URL,
    MODFLEET_OIDC_ISSUER: provider.issuer,
    MODFLEET_OIDC_CLIENT_ID: CLIENT_ID,
    MODFLEET_OIDC_CLIENT_SECRET_FILE: secretFile,
    MODFLEET_OIDC_GRANTS: 'operator from sre',
    MODFLEET_OIDC_MAKE_ACCOUNTS: 'yes',
  });
  hashCheaply(server);
});
afterAll(async () => {
  stdout.mockRestore();
  await server?.stop();
  await provider?.stop();
  await postgres?.close();
});

it('no password, code, client secret or sign-in is in a log, an error, a metric or the database', async () => {
  const secrets = new Set([PASSWORD, CLIENT_SECRET]);
  const errors: string[] = [];
  const keep = (text: string | null | undefined): string => {
    if (text) secrets.add(text);
    return text ?? '';
  };
  await addPerson(server, 'kim', { role: 'viewer' });
  await addPerson(server, 'boss', { role: 'admin' });

  // Passwords: right, wrong, typed where the name belongs, refused as new ones.
  const kim = keep((await logIn(server, 'kim')).body.secret);
  const boss = keep((await logIn(server, 'boss')).body.secret);
  for (const [user, fields] of [
    ['kim', { password: keep('canary-wrong-password') }],
    [keep('canary-typed-as-the-name'), {}],
    ['kim', { newPassword: keep('canary-passwd') }],
    ['kim', { password: keep('c'.repeat(1100)) }],
    ['kim', { password: keep('canary-with\u0000nul') }],
  ] as const)
    errors.push(JSON.stringify((await logIn(server, user, fields)).body));
  const change = { password: PASSWORD, newPassword: keep('canary seven sleepy herons') };
  await server.call('POST', '/api/v1/me/password', { token: kim, body: change });
  errors.push(JSON.stringify((await server.call('POST', '/api/v1/me/password', { token: kim, body: change })).body));
  const broken = await server.call('POST', '/api/v1/login', { token: null, text: `{"password":"${PASSWORD}"` });
  errors.push(JSON.stringify(broken.body));

  // A one-time password.
  const given = await server.call<{ password: string }>('POST', '/api/v1/accounts/kim/password', {
    token: boss,
    body: {},
  });
  keep(given.body.password);
  errors.push(JSON.stringify((await logIn(server, 'kim', { password: given.body.password })).body));

  // The identity provider: a sign-in, the same code again, and one that it refuses.
  provider.person = { subject: 'sub-7', name: 'lou', groups: ['sre'] };
  const start = await server.app.inject({ method: 'GET', url: '/api/v1/oidc/start' });
  const kept = keep((String(start.headers['set-cookie']).split(';')[0] ?? '').split('=')[1]);
  const back = new URL((await new Browser().open(String(start.headers.location), CALLBACK)).url);
  keep(back.searchParams.get('code'));
  const come = () =>
    server.app.inject({
      method: 'GET',
      url: back.pathname + back.search,
      headers: { cookie: `__Host-modfleet-oidc=${kept}`, accept: 'text/html' },
    });
  const signedIn = await come();
  expect(signedIn.statusCode).toBe(200);
  keep(/__Host-modfleet=([^;]+)/.exec(String(signedIn.headers['set-cookie']))?.[1]);
  errors.push((await come()).payload);

  // Sign-ins that are refused.
  await server.call('POST', '/api/v1/logout', { token: boss });
  errors.push(JSON.stringify((await server.call('GET', '/api/v1/hosts', { token: boss })).body));
  const made = keep(`mfs_${'canary'.repeat(8).slice(0, 43)}`);
  errors.push(JSON.stringify((await server.call('GET', '/api/v1/hosts', { token: made })).body));
  const inCookie = { cookie: `__Host-modfleet=${made}` };
  errors.push(JSON.stringify((await server.call('GET', '/api/v1/hosts', { token: null, headers: inCookie })).body));

  const metrics = (await server.app.inject({ method: 'GET', url: '/metrics' })).payload;
  const tables = await server.database.query<{ name: string }>(
    `SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
      WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'`,
  );
  let database = '';
  for (const { name } of tables)
    for (const row of await server.database.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`))
      database += row.row;

  expect(errors.filter((text) => text.includes('"code"')).length).toBeGreaterThan(8);
  expect(written.join('')).toContain('"account":"kim"');
  expect(metrics).toContain('modfleet_sign_ins_total');
  expect(database).toContain('kim');
  expect(secrets.size).toBeGreaterThan(12);
  for (const [where, text] of Object.entries({ log: written.join(''), errors: errors.join('\n'), metrics, database }))
    for (const secret of secrets) {
      const shown = secret.slice(0, 24);
      expect(text.includes(secret), `${shown}… in ${where}`).toBe(false);
      expect(text.includes(Buffer.from(secret).toString('hex')), `${shown}… as hex in ${where}`).toBe(false);
      expect(text.includes(JSON.stringify(secret).slice(1, -1)), `${shown}… in JSON in ${where}`).toBe(false);
    }
});
