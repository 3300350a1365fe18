import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { DatabaseService } from '../database/database.service.ts';
import type { LivingReplica } from '../presence/replica.queries.ts';
import { BusWatch } from './bus-watch.service.ts';
import type { Bus } from './bus.ts';

const replica = (name: string, bus: string): LivingReplica => ({ id: name, name, bus, sessions: 0, upMs: 0 });

/** A server whose wake-ups go over NATS, and whose database knows these replicas; undefined: it is away. */
function watch(replicas: () => readonly LivingReplica[] | undefined, problem?: string): BusWatch {
  const query = (): Promise<readonly LivingReplica[]> => {
    const rows = replicas();
    return rows === undefined ? Promise.reject(new Error('away')) : Promise.resolve(rows);
  };
  return new BusWatch({ kind: 'nats', problem } as Bus, { query } as unknown as DatabaseService);
}

describe('BusWatch', () => {
  afterEach(() => vi.restoreAllMocks());

  it('names servers whose wake-ups go over something else, once, until they are gone', async () => {
    const errors = vi.spyOn(Logger.prototype, 'error').mockReturnValue();
    let rows: readonly LivingReplica[] | undefined = [replica('a', 'nats'), replica('b', 'postgres')];
    const watching = watch(() => rows);
    expect(watching.problem).toBeUndefined();
    await watching.look();
    await watching.look();
    expect(errors.mock.calls).toHaveLength(1);
    expect(String(errors.mock.calls[0]?.[0])).toContain('b (postgres)');
    expect(watching.problem).toBe('not all servers use nats');
    rows = undefined;
    await watching.look();
    expect(watching.problem).toBe('not all servers use nats');
    rows = [replica('a', 'nats')];
    await watching.look();
    expect(watching.problem).toBeUndefined();
  });

  it('concludes nothing of a server that is too old to say', async () => {
    const watching = watch(() => [replica('a', 'nats'), replica('old', '')]);
    await watching.look();
    expect(watching.problem).toBeUndefined();
  });

  it('says first that its own bus is away', () => {
    expect(watch(() => [], 'nobody listens').problem).toBe('nobody listens');
  });
});
