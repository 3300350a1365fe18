import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestNats } from '../../../services/server/src/testing/nats-server.ts';
import { TcpProxy } from '../../../services/server/src/testing/tcp-proxy.ts';
import type { TestCluster } from './cluster.ts';

/** What the servers' wake-ups go over, and how to take it away. */
export interface BusUnderTest {
  readonly settings: NodeJS.ProcessEnv;
  down(cluster: TestCluster): Promise<void>;
  up(cluster: TestCluster): Promise<void>;
  stop(): Promise<void>;
}

export function postgresUnderTest(): Promise<BusUnderTest> {
  return Promise.resolve({
    settings: {},
    down: (cluster) => cluster.listenLine.cut(),
    up: (cluster) => cluster.listenLine.mend(),
    stop: () => Promise.resolve(),
  });
}

/** A real nats-server that wants a password. */
export async function natsUnderTest(): Promise<BusUnderTest> {
  const nats = await TestNats.start('authorization { user: modfleet, password: "of-this-test" }');
  const line = new TcpProxy({ host: '127.0.0.1', port: nats.port });
  await line.mend();
  const credentials = join(nats.folder, 'credentials');
  writeFileSync(credentials, 'modfleet:of-this-test\n', { mode: 0o600 });
  return {
    settings: { MODFLEET_BUS_URL: `nats://127.0.0.1:${line.port}`, MODFLEET_BUS_CREDENTIALS_FILE: credentials },
    down: () => line.cut(),
    up: () => line.mend(),
    stop: async () => {
      await line.cut();
      await nats.stop();
    },
  };
}
