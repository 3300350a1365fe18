import 'reflect-metadata';
import { fileURLToPath } from 'node:url';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { expect, it } from 'vitest';
import { runSelf, type SelfExecOptions } from '../exec/self-exec.ts';
import { requestsInChild } from './certificate-requests.ts';
import { loadOrMakeKey } from './host-key.ts';
import { MemoryIdentityStore } from './memory-identity-store.ts';

/** The compiled program: `npm test` builds first. */
const PROGRAM = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

const withProgram = (changed: Partial<SelfExecOptions>) =>
  requestsInChild((args, options) => runSelf(args, { ...options, program: [process.execPath, PROGRAM], ...changed }));

it('the agent’s own program makes a request in a child', async () => {
  const key = await loadOrMakeKey(new MemoryIdentityStore());
  const request = new Pkcs10CertificateRequest(await withProgram({})(key));
  await expect(request.verify()).resolves.toBe(true);
});

it.each<[string, Partial<SelfExecOptions>, RegExp]>([
  ['is missing', { program: [process.execPath, '/nonexistent/agent.mjs'] }, /Cannot find module '\/nonexistent/],
  ['has no Node.js', { program: ['/nonexistent/node'] }, /\/nonexistent\/node.*ENOENT/],
  ['takes too long', { timeoutMs: 1 }, /no end after 1 ms/],
  ['gets something else', { input: 'no key' }, /ended with exit 1: modfleet-agent: /],
])('a child that %s is an error with its reason', async (_what, changed, words) => {
  const key = await loadOrMakeKey(new MemoryIdentityStore());
  await expect(withProgram(changed)(key)).rejects.toThrow(words);
});
