import { describe, expect, it } from 'vitest';
import { CURRENT_COST, hashPassword, verifyPassword } from './argon2id.ts';

const CHEAP = { memoryKib: 64, passes: 2, lanes: 1 };

describe('argon2id', () => {
  it('computes what the reference implementation computes', async () => {
    // From the test vectors of github.com/P-H-C/phc-winner-argon2 (src/test.c, version 0x13, argon2id, t=2, m=2^8, p=1).
    const phc = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';
    expect(await verifyPassword('password', phc)).toEqual({ matches: true, outdated: true });
    expect((await verifyPassword('passwore', phc)).matches).toBe(false);
  });

  it('has a salt of its own for each password, and says what it cost', async () => {
    const one = await hashPassword('correct horse', CHEAP);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=64,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(await hashPassword('correct horse', CHEAP)).not.toBe(one);
    expect(await verifyPassword('correct horse', one)).toEqual({ matches: true, outdated: true });
    const current = await hashPassword('correct horse');
    expect(await verifyPassword('correct horse', current)).toEqual({ matches: true, outdated: false });
    expect(CURRENT_COST.memoryKib).toBeGreaterThanOrEqual(19 * 1024);
  });

  it('takes a letter and its accent for the letter with the accent', async () => {
    const phc = await hashPassword('Stra\u00dfe \u00e9toile', CHEAP);
    expect((await verifyPassword('Stra\u00dfe e\u0301toile', phc)).matches).toBe(true);
  });

  it.each(['', 'secret', '$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR', '$2b$10$abcdefghijklmnopqrstuv'])(
    'refuses %j as a hash',
    async (phc) => {
      await expect(verifyPassword('x', phc)).rejects.toThrow('not a PHC string');
    },
  );
});
