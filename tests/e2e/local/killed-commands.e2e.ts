import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFleet } from '../support/fleet.ts';

/** Commands on the server's machine that SIGKILL ends between two writes: with their row in the audit log, and finished by what comes next. */
describe('a command that is killed', () => {
  let fleet: TestFleet;

  beforeAll(async () => {
    fleet = await TestFleet.start();
  });
  afterAll(() => fleet.stop());

  const keys = (): string[] =>
    readdirSync(join(fleet.folder, 'server/ca'))
      .filter((name) => name.includes('.key'))
      .toSorted();
  async function must(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await fleet.serverCommand(...args);
    if (code !== 0) throw new Error(stderr);
    return stdout;
  }
  async function recorded(what: string): Promise<string[]> {
    const { body } = await fleet.api('GET', `/api/v1/audit?what=${what}`);
    const items = body['items'] as { details: unknown; object: string }[];
    return items.map(({ details, object }) => /step\W+(\w+)/.exec(JSON.stringify(details))?.[1] ?? object);
  }

  it.each(['KILLED_BEFORE', 'KILLED_AFTER'] as const)(
    '(%s set.json) in a rotation has its row, and is finished',
    async (when) => {
      for (const step of ['begin', 'issue', 'finish']) await must('ca', 'rotate', step);
      const { signal } = await fleet.killedCommand({ [when]: 'set.json' }, 'ca', 'rotate', 'forget');
      expect(signal).toBe('SIGKILL');
      expect((await recorded('ca.rotate'))[0]).toBe('forget');
      expect(keys()).toHaveLength(2);
      expect(await must('ca', 'show')).toContain(
        '"rotate forget" was broken off after it was recorded, and is finished now',
      );
      expect(keys()).toHaveLength(1);
      expect((await fleet.killedCommand({ [when]: 'set.json' }, 'ca', 'rotate', 'begin')).signal).toBe('SIGKILL');
      await fleet.stopServer();
      await fleet.startServer();
      expect(await must('ca', 'show')).toMatch(/^phase +trust_both/);
      expect(readdirSync(join(fleet.folder, 'server/ca'))).not.toContain('step.json');
      await must('ca', 'rotate', 'back');
    },
  );

  it.each(['KILLED_BEFORE', 'KILLED_AFTER'] as const)(
    '(%s epoch) in a raise has its row, stops commands, and is finished by the next start',
    async (when) => {
      const file = join(fleet.folder, 'server/keys/epoch');
      const before = Number(readFileSync(file, 'utf8'));
      const { signal } = await fleet.killedCommand({ [when]: 'epoch' }, 'epoch', 'raise');
      expect(signal).toBe('SIGKILL');
      expect((await recorded('epoch.raise'))[0]).toBe(String(before + 1));
      expect(await must('epoch', 'show')).toContain('commands are stopped');
      await fleet.stopServer();
      await fleet.startServer();
      expect(await must('epoch', 'show')).toContain(`epoch ${before + 1} `);
      expect(await must('epoch', 'show')).toContain('commands are sent and accepted');
      expect(readdirSync(join(fleet.folder, 'server/keys'))).not.toContain('epoch.raise');
    },
  );

  it('where MODFLEET_STATE_DIR names another folder says so, and makes no key', async () => {
    const elsewhere = join(fleet.folder, 'elsewhere');
    const commands = [
      ['token', 'create', '--name', 'x'],
      ['token', 'list'],
      ['admin-token', 'rotate'],
      ['ca', 'show'],
      ['ca', 'rotate', 'begin'],
      ['epoch', 'show'],
      ['epoch', 'raise'],
      ['audit', 'verify'],
      ['serve'],
    ];
    for (const args of commands) {
      const { code, stderr } = await fleet.killedCommand({ MODFLEET_STATE_DIR: elsewhere }, ...args);
      expect([args, code]).toEqual([args, 1]);
      expect(stderr).toContain('MODFLEET_STATE_DIR');
      expect(stderr).toContain(elsewhere);
      expect(stderr).not.toMatch(/\n +at /);
    }
    expect(readdirSync(fleet.folder).includes('elsewhere') ? readdirSync(elsewhere) : []).toEqual([]);
    expect(await must('audit', 'verify')).toContain('is whole');
  });
});
