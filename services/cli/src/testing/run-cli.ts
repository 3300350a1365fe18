import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import { realFetch } from '../api/real-fetch.ts';
import { runCommandLine } from '../command-line/program.ts';
import { createContext } from '../context.ts';
import { fakeIo, type FakeIo, type World } from './fake-io.ts';
import { startFakeServer, type FakeServer } from './fake-server.ts';

/** Some tests run a dozen commands; a loaded machine needs a while for them. */
const TEST_TIMEOUT_MS = 30_000;

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Cli {
  /** The server of this test; anew for each. */
  server(): FakeServer;
  /** A folder of this test, for its settings. */
  folder(): string;
  /** Runs a command line; with the address and token of the fake server unless `env` says otherwise. */
  run(argv: readonly string[], world?: World, during?: (io: FakeIo) => void): Promise<Ended>;
}

/** Sets up a fake server and an empty home for each test of the file. */
export function useCli(): Cli {
  vi.setConfig({ testTimeout: TEST_TIMEOUT_MS });
  let server: FakeServer;
  let folder: string;
  beforeEach(async () => {
    server = await startFakeServer();
    folder = mkdtempSync(join(tmpdir(), 'modfleet-cli-'));
  });
  afterEach(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    server: () => server,
    folder: () => folder,
    run: async (argv, world = {}, during) => {
      const env = { MODFLEET_URL: server.url, MODFLEET_TOKEN: 'mfl_test', ...world.env };
      const io = fakeIo({ ...world, env });
      during?.(io);
      const environment = { env: io.env, userFile: join(folder, 'config.yaml'), cloneFile: join(folder, 'cli.yaml') };
      const code = await runCommandLine(argv, createContext(io, environment, realFetch));
      return { code, out: io.written(), err: io.told() };
    },
  };
}
