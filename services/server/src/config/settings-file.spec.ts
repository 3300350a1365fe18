import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readServerConfig } from './server-config.ts';
import { toldSettings } from './settings-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'modfleet-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('--settings FILE', () => {
  const file = join(folder, 'server.env');
  writeFileSync(
    file,
    '# of a server\nDATABASE_URL="postgresql://modfleet:a#b=c@127.0.0.1:5433/modfleet"\nMODFLEET_STATE_DIR=/srv/modfleet state\n',
  );

  it.each([[['--settings', file, 'admin-token', 'rotate']], [[`--settings=${file}`, 'admin-token', 'rotate']]])(
    '%j gives the settings, and goes before the environment',
    (argv) => {
      const { environment, args } = toldSettings(argv, {
        DATABASE_URL: 'postgresql://other',
        MODFLEET_DB_POOL_SIZE: '7',
      });
      expect(args).toEqual(['admin-token', 'rotate']);
      expect(readServerConfig(environment)).toMatchObject({
        databaseUrl: 'postgresql://modfleet:a#b=c@127.0.0.1:5433/modfleet',
        stateDir: '/srv/modfleet state',
        dbPoolSize: 7,
      });
    },
  );

  it('leaves other command lines as they are', () => {
    expect(toldSettings(['token', 'list'], { A: 'b' })).toEqual({ environment: { A: 'b' }, args: ['token', 'list'] });
  });

  it('says what is missing', () => {
    expect(() => toldSettings(['--settings'], {})).toThrow('--settings needs a file');
    expect(() => toldSettings(['--settings', join(folder, 'gone')], {})).toThrow('cannot read');
    expect(() => readServerConfig({})).toThrow('modfleet-server --settings .modfleet/server.env COMMAND');
  });
});
