import { expect, it } from 'vitest';
import { passwordForStorage } from './scram.ts';

it('is the verifier of the example in RFC 7677', () => {
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
  expect(passwordForStorage('pencil', salt)).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
});

it('leaves to PostgreSQL what it would have to normalise', () => {
  expect(passwordForStorage('Kennwörter')).toBe('Kennwörter');
});
