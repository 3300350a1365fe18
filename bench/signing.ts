import { generateKeyPairSync, randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type ActionRequest, complaintAboutSignature, UNSIGNED, Verb } from '@modfleet/proto';
import { keepFigures, measuredWhere, resultFile } from '../scripts/lib/measured.ts';
import { CertificateAuthority } from '../services/server/src/ca/certificate-authority.ts';
import { CommandSigner } from '../services/server/src/signing/command-signer.ts';
import { TestFleet } from '../tests/e2e/support/fleet.ts';
import { type Figure, figure, figureTable } from './figures.ts';

const RESULT = 'signing';
const SIGNATURES = 10_000;
/** The design's figure for a rollout to 10,000 hosts. */
const SIGNATURES_REACH_MS = 500;
const HOSTS = 200;
const ACTIONS = 1_000;
/** Requests at the same time; the server's pool has ten connections. */
const AT_ONCE = 8;

/** `npm run bench -- signing`: what signing costs, alone and in the request that accepts an action. */
export async function benchSigning(): Promise<number> {
  const where = await measuredWhere();
  const figures = [...(await measureSignatures()), await measureAcceptance()];
  keepFigures(RESULT, 'signing', where, figures);
  console.log(`\n${where.machine}; load ${where.loadAverage}; commit ${where.commit}\n\n${figureTable(figures)}\n`);
  console.log(resultFile(RESULT));
  return figures.some(({ holds }) => holds === false) ? 1 : 0;
}

async function measureSignatures(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'modfleet-bench-'));
  try {
    const authority = await CertificateAuthority.open(folder);
    const signer = new CommandSigner({ command: generateKeyPairSync('ed25519').privateKey }, authority);
    const now = Date.now();
    const request = (sequence: number): ActionRequest => ({
      ...UNSIGNED,
      actionId: randomUUID(),
      hostId: randomUUID(),
      verb: Verb.VERB_UNLOAD,
      kmod: 'algif_aead',
      parameters: [],
      dryRun: false,
      expiresAtMs: now + 120_000,
      confirmWindowSeconds: 0,
      overrides: [],
      epoch: 1,
      sequence,
      notBeforeMs: now,
    });
    const requests = Array.from({ length: SIGNATURES }, (_, index) => request(index + 1));
    const first = requests[0] ?? request(1);
    const envelope = await signer.sign(first);
    const signing = await timed(async () => {
      for (const one of requests) await signer.sign(one);
    });
    const signed = { ...first, signature: envelope.signature, commandCertificate: envelope.certificate.der };
    const cas = [new X509Certificate(authority.certificate)];
    const checks = 1_000;
    const checking = await timed(async () => {
      for (let count = 0; count < checks; count++)
        if (complaintAboutSignature(signed, cas) !== undefined) throw new Error('a good signature is not believed');
    });
    return [
      figure(
        '10,000 commands signed: processor time',
        signing.cpuMs,
        'ms',
        SIGNATURES_REACH_MS,
        `${Math.round(signing.ms)} ms by the clock`,
        0,
      ),
      figure(
        'one command verified, chain and signature: processor time',
        (checking.cpuMs / checks) * 1000,
        'us',
        null,
        `${checks} in a row`,
        0,
      ),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Over the API of a real server, with the Idempotency-Key that it wants. Hosts are not connected, so nothing is dispatched. */
async function measureAcceptance(): Promise<Figure> {
  const fleet = await TestFleet.start();
  const database = new pg.Client(fleet.databaseUrl);
  try {
    await database.connect();
    const names = Array.from({ length: HOSTS }, (_, index) => `web-${index}`);
    for (const name of names)
      await database.query('INSERT INTO host (id, name, mode, key_fingerprint) VALUES ($1, $2, $3, $4)', [
        randomUUID(),
        name,
        'act',
        randomBytes(32),
      ]);
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < ACTIONS) {
        const host = names[next++ % HOSTS] ?? '';
        const { status, body } = await fleet.api('POST', '/api/v1/actions', {
          host,
          verb: 'unload',
          kmod: 'algif_aead',
        });
        if (status !== 202) throw new Error(`an action was not accepted: ${status} ${JSON.stringify(body)}`);
      }
    };
    const { ms } = await timed(() => Promise.all(Array.from({ length: AT_ONCE }, lane)));
    const signed = await database.query('SELECT count(*)::int AS count FROM action WHERE length(signature) = 64');
    const [row] = signed.rows as { count: number }[];
    if (row?.count !== ACTIONS) throw new Error(`${row?.count} of ${ACTIONS} actions are stored and signed`);
    const note = `${ACTIONS} requests on ${HOSTS} hosts, ${AT_ONCE} at once, one transaction each; Postgres and caller on the same machine`;
    return figure('actions accepted over the API: signed and stored', (ACTIONS / ms) * 1000, 'a second', null, note, 0);
  } finally {
    await database.end();
    await fleet.stop();
  }
}

async function timed(work: () => Promise<unknown>): Promise<{ readonly ms: number; readonly cpuMs: number }> {
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { ms: performance.now() - began, cpuMs: (user + system) / 1000 };
}
