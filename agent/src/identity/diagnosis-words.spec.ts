import { expect, it } from 'vitest';
import { IdentityStatus } from '@modfleet/proto';
import { adviceFor } from './diagnosis-words.ts';

it('every status has its own words; only those that pass by themselves are tried again soon', () => {
  const all = Object.values(IdentityStatus).map((status) => ({
    status,
    ...adviceFor({ status, serverTimeMs: 0, renewed: false }),
  }));
  expect(new Set(all.map(({ words }) => words)).size).toBe(all.length);
  expect(all.filter(({ retrySoon }) => retrySoon).map(({ status }) => status)).toEqual([
    IdentityStatus.IDENTITY_STATUS_UNSPECIFIED,
    IdentityStatus.IDENTITY_STATUS_VALID,
    IdentityStatus.IDENTITY_STATUS_QUARANTINED,
    IdentityStatus.IDENTITY_STATUS_SUPERSEDED,
    IdentityStatus.IDENTITY_STATUS_CA_REPLACED,
  ]);
});
