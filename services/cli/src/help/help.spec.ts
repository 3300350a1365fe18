import { describe, expect, it } from 'vitest';
import { buildProgram } from '../command-line/program.ts';
import { candidates } from '../completion/candidates.ts';
import { completionScript, SHELLS } from '../completion/scripts.ts';
import { useCli } from '../testing/run-cli.ts';
import { fakeIo } from '../testing/fake-io.ts';
import { renderReference } from './reference.ts';

const cli = useCli();
const program = () => buildProgram(fakeIo(), () => Promise.resolve());

describe('help', () => {
  it('is what docs/cli.md says', async () => {
    await expect(renderReference(program())).toMatchFileSnapshot('../../../../docs/cli.md');
  });

  it('goes to stdout and ends with 0 when it was asked for', async () => {
    for (const argv of [
      ['--help'],
      ['help'],
      ['help', 'kmods', 'hosts'],
      ['help', 'exit-codes'],
      ['kmods', 'hosts', '--help'],
      ['--version'],
    ]) {
      const { code, out, err } = await cli.run(argv);
      expect([argv, code, err]).toEqual([argv, 0, '']);
      expect(out.length).toBeGreaterThan(4);
    }
  });

  it('goes to stderr and ends with 2 when a verb is missing', async () => {
    const { code, out, err } = await cli.run(['kmods']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('Usage: modfleet kmods');
  });

  it.each([
    [['kmosd'], "unknown command 'kmosd'", 'Did you mean kmods?'],
    [['kmods', 'hosts', 'e1000e', '--limt', '3'], "unknown option '--limt'", 'Did you mean --limit?'],
    [['kmods', 'hosts', 'e1000e', '--limt=3'], "unknown option '--limt'", 'Did you mean --limit?'],
    [['kmods', 'hosts', '-r'], "unknown option '-r'", 'a kmod name never begins with "-"'],
    [['kmods', 'load', 'floppy', '--hots', 'web-1'], "unknown option '--hots'", 'Did you mean --host?'],
    [['kmods', 'load', 'floppy', '--watch', '--hots=web-1'], "unknown option '--hots'", 'Did you mean --host?'],
    [['accounts', 'unlink', 'kim', '--subjct', '17'], "unknown option '--subjct'", 'Did you mean --subject?'],
    [['freeze', '--reson', 'why'], "unknown option '--reson'", 'Did you mean --reason?'],
    [
      ['sessions', 'list', '--all', '--account', 'kim', '--limt', '3'],
      "unknown option '--limt'",
      'Did you mean --limit?',
    ],
    [['kmods', 'load', 'floppy', '--xyzzy'], "unknown option '--xyzzy'", 'see: modfleet kmods load --help'],
    [
      ['hosts', 'revoke', 'web-1'],
      "required option '--reason <text>' not specified",
      'see: modfleet hosts revoke --help',
    ],
    [['kmods', 'load', 'floppy'], 'say which hosts are meant', 'modfleet kmods load floppy --host HOST'],
    [['rollouts', 'create', '--wavs', '1'], "unknown option '--wavs'", 'Did you mean --waves?'],
    [['rollouts', 'create'], 'say which plan', 'modfleet rollouts plan unload NAME -l SELECTOR'],
    [['rollouts', 'plan', 'unlaod', 'floppy', '--all'], 'VERB takes one of load, unload', 'did you mean unload?'],
    [['rollouts', 'show', '17'], '"17" is no id of a rollout', 'modfleet rollouts list'],
    [['sessions', 'list', '--all', '--account', 'kim'], 'cannot be used with', 'see: modfleet sessions list --help'],
    [['hosts', 'show'], "missing required argument 'host'", 'see: modfleet hosts show --help'],
    [['help', 'nothing'], 'there is no command or topic "nothing"', 'see all: modfleet help'],
  ])('%j says what is wrong and what to do', async (argv, message, hint) => {
    const { code, err } = await cli.run(argv);
    expect(code).toBe(2);
    expect(err.split('\n')[0]).toMatch(/^modfleet: /);
    expect(err.split('\n')[0]).toContain(message);
    expect(err).toContain(hint);
  });
});

describe('completion', () => {
  it.each([
    [
      [''],
      [
        'hosts',
        'kmods',
        'drivers',
        'actions',
        'rollouts',
        'events',
        'freeze',
        'thaw',
        'join-tokens',
        'whoami',
        'accounts',
        'grants',
        'tokens',
        'audit',
        'login',
        'logout',
        'sessions',
        'passwd',
        'completion',
        'help',
      ],
    ],
    [['kmods', 'h'], ['hosts']],
    [
      ['rollouts', 'plan', 'ensure-'],
      ['ensure-loaded', 'ensure-unloaded'],
    ],
    [
      ['rollouts', 'create', '--d'],
      ['--dry-run', '--deadline'],
    ],
    [
      ['kmods', 'hosts', 'e1000e', '--li'],
      ['--live', '--limit'],
    ],
    [['kmods', 'hosts', 'e1000e', '--live', '--li'], ['--limit']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
  ])('of %j', (words, expected) => {
    expect(candidates(program(), words)).toEqual(expected);
  });

  it('has a script for each shell, which asks the command', async () => {
    for (const shell of SHELLS) expect(completionScript(shell)).toContain('modfleet __complete -- ');
    expect((await cli.run(['completion', 'csh'])).code).toBe(2);
    expect((await cli.run(['__complete', '--', 'kmods', 'hosts', '--pre'])).out).toBe('--presence\n');
  });
});
