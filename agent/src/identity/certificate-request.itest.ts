import 'reflect-metadata';
import { createPublicKey } from 'node:crypto';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { expect, it } from 'vitest';
import { makeCertificateRequest } from './certificate-request.ts';
import { loadOrMakeKey } from './host-key.ts';
import { MemoryIdentityStore } from './memory-identity-store.ts';

it('a certificate request is what others read as PKCS #10, signed by its own key', async () => {
  const key = await loadOrMakeKey(new MemoryIdentityStore());
  const request = new Pkcs10CertificateRequest(await makeCertificateRequest(key));
  expect(request.subject).toBe('CN=modfleet-host');
  expect(Buffer.from(request.publicKey.rawData)).toEqual(createPublicKey(key).export({ type: 'spki', format: 'der' }));
  await expect(request.verify()).resolves.toBe(true);
});
