import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { CommanderError } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatJoinString } from '@modfleet/proto';
import { buildProgram } from './program.ts';
import { FakeServer } from './testing/fake-server.ts';
import { TestAuthority } from './testing/test-authority.ts';
import { AGENT_VERSION } from './version.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'modfleet-program-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function run(...args: string[]): Promise<{ out: string; err: string; error: unknown; exits: number[] }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const exits: number[] = [];
  const program = buildProgram({
    stdin: new PassThrough(),
    stdout,
    stderr,
    signal: AbortSignal.abort(),
    exit: (code) => exits.push(code),
  });
  for (const command of [program, ...program.commands]) command.exitOverride();
  let error: unknown;
  await program.parseAsync(args, { from: 'user' }).catch((thrown: unknown) => (error = thrown));
  stdout.end();
  stderr.end();
  return { out: await text(stdout), err: await text(stderr), error, exits };
}

describe('the command line', () => {
  it('tells its version and its commands', async () => {
    expect((await run('--version')).out).toBe(`${AGENT_VERSION}\n`);
    const commands = [...(await run('--help')).out.matchAll(/^  (?<name>[a-z-]+) (?:\[|<)/gm)].map(
      ({ groups }) => groups?.['name'],
    );
    expect(commands).toEqual(['run', 'join', 'check', 'inspect', 'verdict', 'revert', 'help']);
  });

  it('names an unknown command and an unknown option', async () => {
    const unknown = await run('ruin');
    expect(unknown.err).toContain('there is no command "ruin"');
    expect(unknown.error).toBeInstanceOf(CommanderError);
    expect((await run('check', '--jsonn')).err).toContain('--jsonn');
  });

  it('refuses settings that cannot be used', async () => {
    const { error } = await run('run', '--config', path.join(folder, 'none.yaml'));
    expect(String(error)).toContain('there is no such file');
  });
});

describe('revert', () => {
  it('says that there is nothing to do without an open window, and that it cannot know with one that is damaged', async () => {
    const revert = () => run('revert', '--state-dir', folder);
    expect(await revert()).toMatchObject({ out: 'no confirm window is open; nothing to do\n', exits: [0] });
    await mkdir(path.join(folder, 'confirm'));
    await writeFile(path.join(folder, 'confirm', 'pending.json'), '{');
    expect(await revert()).toMatchObject({
      out: 'the confirm window is damaged, or from a newer agent; nothing was put back\n',
      exits: [1],
    });
  });
});

describe('join', () => {
  it('makes a host once, erases the join file, and needs --replace to do it again', async () => {
    const authority = await TestAuthority.create();
    const server = new FakeServer(authority);
    await server.start(await authority.server());
    try {
      const config = path.join(folder, 'agent.yaml');
      const joinFile = path.join(folder, 'join');
      const joinString = formatJoinString({ token: `mfj_${'t'.repeat(43)}`, caFingerprint: authority.fingerprint });
      await writeFile(config, `state_dir: ${folder}/state\njoin_file: ${joinFile}\n`);
      await writeFile(joinFile, joinString);
      const address = `127.0.0.1:${server.identityPort}`;
      expect(String((await run('join', '--config', config)).error)).toContain('add --server HOST:PORT');
      const first = await run('join', '--config', config, '--server', address);
      expect(first.out).toMatch(/^joined as host [0-9a-f-]{36};/);
      expect(
        String((await run('join', '--config', config, '--server', address, '--token', joinString)).error),
      ).toContain('add --replace');
      expect(String((await run('join', '--config', config, '--server', address, '--replace')).error)).toContain(
        'no join string',
      );
      const second = await run('join', '--config', config, '--server', address, '--replace', '--token', joinString);
      expect(second.out).toMatch(/^joined as host/);
      expect(second.out).not.toBe(first.out);
    } finally {
      server.stop();
    }
  });
});
