import { expect, it } from 'vitest';
import { SelfExecError } from '../exec/self-exec.ts';
import { makeCertificateRequest } from './certificate-request.ts';
import { requestsInChild } from './certificate-requests.ts';
import { loadOrMakeKey } from './host-key.ts';
import { MemoryIdentityStore } from './memory-identity-store.ts';

type Run = NonNullable<Parameters<typeof requestsInChild>[0]>;

const newKey = () => loadOrMakeKey(new MemoryIdentityStore());

it('gives the key on stdin alone, and asks once for a key', async () => {
  const asked: Parameters<Run>[] = [];
  const makeRequest = requestsInChild((...call) => {
    asked.push(call);
    return makeCertificateRequest(call[1].input ?? '');
  });
  const [key, other] = [await newKey(), await newKey()];
  const request = await makeRequest(key);
  expect(await makeRequest(key)).toBe(request);
  expect(await makeRequest(other)).not.toEqual(request);
  expect(asked.map(([args]) => args)).toEqual([['make-certificate-request'], ['make-certificate-request']]);
  expect(asked.map(([, { input }]) => input)).toEqual([key, other]);
});

it('says what failed and the way out, and asks anew the next time', async () => {
  const key = await newKey();
  let answer: () => Promise<Uint8Array> = () => Promise.reject(new SelfExecError('ended with SIGKILL: '));
  const makeRequest = requestsInChild(() => answer());
  await expect(makeRequest(key)).rejects.toThrow(/failed: ended with SIGKILL.*run "modfleet-agent join"/);
  answer = () => makeCertificateRequest(key);
  await expect(makeRequest(key)).resolves.toBeInstanceOf(Uint8Array);
});

it.each<[string, (whole: Buffer) => Buffer | Promise<Uint8Array>]>([
  ['nothing', () => Buffer.alloc(0)],
  ['words', () => Buffer.from('Segmentation fault')],
  ['a cut request', (whole) => whole.subarray(0, -1)],
  ['a request and more', (whole) => Buffer.concat([whole, Buffer.from('\n')])],
  ['the request of another key', async () => makeCertificateRequest(await newKey())],
])('does not send %s to the server', async (_what, answer) => {
  const key = await newKey();
  const whole = Buffer.from(await makeCertificateRequest(key));
  await expect(requestsInChild(async () => answer(whole))(key)).rejects.toMatchObject({ code: 'certificate_request' });
});

it('starts nothing for a key that is damaged, and does not show it', async () => {
  const key = (await newKey()).slice(0, 60);
  const makeRequest = requestsInChild(() => Promise.reject(new Error('started')));
  const said = await makeRequest(key).catch(String);
  expect(said).toMatch(/damaged .*; restore host-key.pem/);
  expect(said).not.toContain(key.split('\n')[1]);
});
