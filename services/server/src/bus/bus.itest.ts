import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { TcpProxy } from '../testing/tcp-proxy.ts';
import { replicaChannel } from './bus.ts';
import { PostgresBus } from './postgres-bus.service.ts';
import { comesTrue } from '../testing/comes-true.ts';

describe('PostgresBus', () => {
  let postgres: TestPostgres;
  let database: DatabaseService;
  let proxy: TcpProxy;
  const buses: PostgresBus[] = [];
  let config: ReturnType<typeof readServerConfig>;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    postgres = await startTestPostgres();
    const { url } = await postgres.createEmptyDatabase();
    const through = await TcpProxy.before(url);
    proxy = through.proxy;
    config = readServerConfig({ DATABASE_URL: url, DATABASE_DIRECT_URL: through.url });
    database = new DatabaseService({ ...config, dbPoolSize: 2 });
  });
  afterAll(async () => {
    await Promise.all(buses.map((bus) => bus.onApplicationShutdown()));
    await database.onApplicationShutdown();
    await proxy.cut();
    await postgres.close();
  });

  async function bus(): Promise<{ bus: PostgresBus; id: string; heard: string[] }> {
    const id = randomUUID();
    const made = new PostgresBus(config, database, id);
    buses.push(made);
    await made.onApplicationBootstrap();
    const heard: string[] = [];
    made.subscribe('freeze', (payload) => heard.push(`freeze ${payload}`));
    made.subscribe(replicaChannel(id), (payload) => heard.push(`mine ${payload}`));
    return { bus: made, id, heard };
  }

  it('reaches everybody on a common channel, and one replica on its own', async () => {
    const [a, b] = [await bus(), await bus()];
    await a.bus.publish('freeze', '1');
    await a.bus.publish(replicaChannel(b.id), 'hello');
    await comesTrue(() => expect(b.heard).toEqual(['freeze 1', 'mine hello']));
    await comesTrue(() => expect(a.heard).toEqual(['freeze 1']));
  });

  it('refuses what is too long for a notification', async () => {
    const { bus: one } = await bus();
    await expect(one.publish('freeze', 'x'.repeat(8_000))).rejects.toBeInstanceOf(RangeError);
  });

  it('outlives a handler that throws, and a connection that breaks', async () => {
    const { bus: one, heard } = await bus();
    one.subscribe('freeze', () => {
      throw new Error('a handler that fails');
    });
    const resumed = new Promise<void>((resolve) => one.onResumed(resolve));
    await proxy.cut();
    await proxy.mend();
    await resumed;
    await one.publish('freeze', 'again');
    await comesTrue(() => expect(heard).toContain('freeze again'));
  });
});
