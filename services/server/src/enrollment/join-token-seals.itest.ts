import { createHash, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { Metrics } from '../metrics/metrics.service.ts';
import { AgentSide } from '../testing/agent-side.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { TestAgent } from '../testing/test-agent.ts';
import { JoinTokenRepository } from './join-token.repository.ts';
import { JoinTokenService } from './join-token.service.ts';
import { mintJoinToken } from './join-token.ts';

const BROKEN = { code: status.PERMISSION_DENIED, details: expect.stringContaining('changed outside the server') };

describe('seals of join tokens', () => {
  let side: AgentSide;
  onTestDatabase(async (url) => (side = await AgentSide.start(url)));

  const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();
  const change = (set: string, token: string): Promise<unknown[]> =>
    side.database.query(`UPDATE join_token SET ${set} WHERE hash = $1`, [hashOf(token)]);
  const joined = async (name: string, token: string): Promise<TestAgent> => {
    const agent = await TestAgent.create(name);
    await agent.enroll(side, token);
    return agent;
  };
  const stateOf = async (token: string): Promise<boolean | undefined> =>
    (await side.app.get(JoinTokenService).list(1000)).find((row) => row.hash.equals(hashOf(token)))?.broken;

  /** A token that somebody puts into the database by hand. */
  async function inserted(more = ''): Promise<string> {
    const { token, prefix, hash } = mintJoinToken();
    await side.database.query(
      `INSERT INTO join_token (id, prefix, hash, labels, max_uses, expires_at) VALUES ($1, $2, $3, '{"env":"prod"}', 100000, now() + interval '10 years')`,
      [randomUUID(), prefix, hash],
    );
    if (more !== '') await change(more, token);
    return token;
  }

  it('a token that was inserted by hand lets nobody in, and is told of', async () => {
    const token = await inserted();
    await expect(joined('inserted', token)).rejects.toMatchObject(BROKEN);
    expect(await stateOf(token)).toBe(true);
    expect(await side.database.query(`SELECT 1 FROM host WHERE name = 'inserted'`)).toEqual([]);
    expect(await side.app.get(Metrics).registry.metrics()).toMatch(
      /modfleet_access_seals_broken_total\{kind="join_token"\} [1-9]/,
    );
  });

  it.each([
    ['wider labels', `labels = '{"env":"prod"}'`],
    ['more uses', 'max_uses = 100000'],
    ['a longer life', `expires_at = now() + interval '20 hours'`],
    ['a later birth', `created_at = now() + interval '1 hour'`],
    ['fewer uses than there were', 'uses = 0'],
  ])('a token with %s lets nobody in', async (_name, set) => {
    const token = await side.joinToken({ maxUses: 2, labels: { env: 'dev' } });
    await joined('first', token);
    await change(set, token);
    await expect(joined('second', token)).rejects.toMatchObject(BROKEN);
  });

  it('a revoked token does not come back by its time being cleared', async () => {
    const token = await side.joinToken();
    const id =
      (await side.app.get(JoinTokenService).list(1000)).find((row) => row.hash.equals(hashOf(token)))?.id ?? '';
    await side.database.tx('READ COMMITTED', (sql) => side.app.get(JoinTokenRepository).revoke(sql, id));
    await change('revoked_at = NULL', token);
    await expect(joined('back', token)).rejects.toMatchObject(BROKEN);
  });

  it('a token put back to how it was before a use, with its seal of then, lets nobody in', async () => {
    const token = await side.joinToken();
    const [before] = await side.database.query<{ seal: Buffer }>('SELECT seal FROM join_token WHERE hash = $1', [
      hashOf(token),
    ]);
    await joined('used', token);
    await side.database.query('UPDATE join_token SET uses = 0, seal = $2 WHERE hash = $1', [
      hashOf(token),
      before?.seal,
    ]);
    await expect(joined('put-back', token)).rejects.toMatchObject(BROKEN);
  });

  it('deleted uses give none back', async () => {
    const token = await side.joinToken();
    await joined('deleted', token);
    await side.database.query('DELETE FROM join_token_use');
    await expect(joined('deleted-2', token)).rejects.toMatchObject({ details: expect.stringContaining('used up') });
  });

  it('a token with the secret of another lets nobody in', async () => {
    const { token, hash } = mintJoinToken();
    const known = await side.joinToken();
    await change(`hash = decode('${hash.toString('hex')}', 'hex')`, known);
    await expect(joined('other-secret', token)).rejects.toMatchObject(BROKEN);
  });

  it('a use that was made by hand gives its key no certificate', async () => {
    const used = await side.joinToken();
    const owner = await joined('owner', used);
    const other = await side.joinToken();
    await side.database.query(
      `INSERT INTO join_token_use (token_id, key_fingerprint, host_id, number)
       SELECT t.id, h.key_fingerprint, h.id, NULL FROM join_token t, host h WHERE t.hash = $1 AND h.id = $2`,
      [hashOf(other), owner.hostId],
    );
    await expect(owner.enroll(side, other)).rejects.toMatchObject(BROKEN);
  });

  it('tokens of before are sealed once, those that no server can have made are not', async () => {
    const repository = side.app.get(JoinTokenRepository);
    const good = await inserted(`expires_at = now() + interval '1 hour', max_uses = 2`);
    const long = await inserted();
    const late = await inserted(
      `created_at = now() + interval '1 year', expires_at = now() + interval '1 year 1 hour'`,
    );
    rmSync(join(side.stateDir, 'keys', 'join-tokens-sealed'));
    await repository.onModuleInit();
    const agent = await joined('of-before', good);
    // As a server of before left them: the use, too, and the machine asks again.
    await side.database.query('UPDATE join_token SET seal = NULL WHERE hash = $1', [hashOf(good)]);
    await side.database.query('UPDATE join_token_use SET seal = NULL');
    await expect(agent.enroll(side, good)).rejects.toMatchObject(BROKEN);
    rmSync(join(side.stateDir, 'keys', 'join-tokens-sealed'));
    await repository.onModuleInit();
    const { hostId } = agent;
    await agent.enroll(side, good);
    expect(agent.hostId).toBe(hostId);
    for (const token of [long, late]) await expect(joined('never', token)).rejects.toMatchObject(BROKEN);
    const after = await inserted(`expires_at = now() + interval '1 hour'`);
    await repository.onModuleInit();
    await expect(joined('after', after)).rejects.toMatchObject(BROKEN);
  });
});
