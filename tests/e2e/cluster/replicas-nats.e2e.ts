import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { TestNats } from '../../../services/server/src/testing/nats-server.ts';
import { TcpProxy } from '../../../services/server/src/testing/tcp-proxy.ts';
import { replicaSuite } from '../support/replica-suite.ts';

describe('three servers, wake-ups over NATS', () => {
  replicaSuite(async () => {
    const nats = await TestNats.start('authorization { user: modfleet, password: "of-this-test" }');
    const line = new TcpProxy({ host: '127.0.0.1', port: nats.port });
    await line.mend();
    const credentials = join(nats.folder, 'credentials');
    writeFileSync(credentials, 'modfleet:of-this-test\n');
    chmodSync(credentials, 0o600);
    return {
      settings: {
        MODFLEET_BUS_URL: `nats://127.0.0.1:${line.port}`,
        MODFLEET_BUS_CREDENTIALS_FILE: credentials,
      },
      down: () => line.cut(),
      up: () => line.mend(),
      stop: async () => {
        await line.cut();
        await nats.stop();
      },
    };
  });
});
