import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent } from '../support/agents.ts';
import { TestFleet } from '../support/fleet.ts';
import { eventually } from '../support/wait.ts';

/** A server and two agents as processes: a rotation by command line, with encrypted keys; the server killed, restarted and told by a signal. */
describe('the CA is rotated', () => {
  let fleet: TestFleet;
  const ids: string[] = [];

  beforeAll(async () => {
    fleet = new TestFleet();
    mkdirSync(fleet.folder, { recursive: true });
    const passphrase = join(fleet.folder, 'passphrase');
    writeFileSync(passphrase, randomBytes(24).toString('base64'));
    await fleet.startWith({ MODFLEET_KEY_PASSPHRASE_FILE: passphrase });
    for (const name of ['one', 'two']) ids.push((await startAgent(fleet, name)).hostId);
  });
  afterAll(() => fleet.stop());

  const show = async (): Promise<string> => {
    const { code, stdout, stderr } = await fleet.serverCommand('ca', 'show');
    if (code !== 0) throw new Error(stderr);
    return stdout;
  };
  async function step(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await fleet.serverCommand('ca', 'rotate', ...args);
    if (code !== 0) throw new Error(stderr);
    return stdout;
  }
  const all = (pattern: RegExp) =>
    eventually(`ca show says ${pattern.source}`, async () => {
      const text = await show();
      return pattern.test(text) ? text : undefined;
    });
  const everybody = () =>
    eventually('every host is up to date', async () => {
      const hosts = await Promise.all(ids.map((id) => fleet.api('GET', `/api/v1/hosts/${id}`)));
      return hosts.every(({ body }) => body['connected'] === true && body['caTrust'] === 'current') || undefined;
    });

  it('with every host, through kills and restarts, by three commands', async () => {
    await everybody();
    expect(await show()).toMatch(/^phase +single, since .*\(generation 1\): one CA counts\nissues +[0-9a-f]{16} /);
    const begun = await step('begin');
    expect(begun).toContain('single -> trust_both');
    expect(begun).toContain('Taken over by the server that runs.');
    await everybody();
    await all(/hosts +2: 2 trust both\n/);
    await fleet.stopServer('SIGKILL');
    await fleet.startServer();
    await everybody();

    expect(await step('issue')).toContain('trust_both -> issue_new');
    await everybody();
    await all(/certificates +2 by the new CA\n/);
    await fleet.stopServer('SIGKILL');
    await fleet.startServer();
    await everybody();

    expect(await step('finish')).toContain('issue_new -> single');
    await everybody();
    await fleet.stopServer();
    await fleet.startServer();
    await everybody();
    expect(await step('back')).toContain('single -> issue_new');
    process.kill(fleet.serverPid, 'SIGHUP');
    await everybody();
    expect(await step('finish')).toContain('issue_new -> single');
    expect(await step('forget')).toContain('is erased');
    await everybody();
    const keys = readFileSync(join(fleet.folder, 'server/ca/set.json'), 'utf8').match(/ca[^"]*\.key/g) ?? [];
    expect(keys).toHaveLength(1);
    expect(readFileSync(join(fleet.folder, 'server/ca', keys[0] ?? ''), 'utf8')).toContain('ENCRYPTED PRIVATE KEY');
  });

  it('and a wrong word on the command line is told with the right ones', async () => {
    const wrong = [['ca'], ['ca', 'shwo'], ['ca', 'rotate', 'on'], ['ca', 'rotate', 'begin', '--cert-file', 'x']];
    for (const args of [...wrong, ['ca', 'rotate', 'issue', '--strand', 'all'], ['ca', 'show', '--strand', '1']]) {
      const { code, stderr } = await fleet.serverCommand(...args);
      expect([code, stderr.includes('modfleet-server ca rotate begin')], args.join(' ')).toEqual([2, true]);
    }
    const { code, stderr } = await fleet.serverCommand('ca', 'rotate', 'issue');
    expect([code, stderr]).toEqual([1, expect.stringContaining('no rotation is under way')]);
  });
});
