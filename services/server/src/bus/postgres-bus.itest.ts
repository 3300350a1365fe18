import { describe } from 'vitest';
import { readServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { startTestPostgres } from '../testing/postgres.ts';
import { TcpProxy } from '../testing/tcp-proxy.ts';
import { PostgresBus } from './postgres-bus.ts';
import { busContract } from './testing/bus-contract.ts';

describe('PostgresBus', () => {
  busContract(async () => {
    const postgres = await startTestPostgres();
    const { url } = await postgres.createEmptyDatabase();
    const through = await TcpProxy.before(url);
    const config = readServerConfig({ DATABASE_URL: url, DATABASE_DIRECT_URL: through.url });
    const database = new DatabaseService({ ...config, dbPoolSize: 2 });
    return {
      make: (id) => new PostgresBus(config, database, id),
      cut: () => through.proxy.cut(),
      mend: () => through.proxy.mend(),
      stop: async () => {
        await database.onApplicationShutdown();
        await through.proxy.cut();
        await postgres.close();
      },
    };
  });
});
