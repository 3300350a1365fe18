import { expect, it } from 'vitest';
import { localAddressTowards } from './local-address.ts';

it('the way to a loopback address begins there', async () => {
  await expect(localAddressTowards('127.0.0.1', 7781)).resolves.toBe('127.0.0.1');
});
