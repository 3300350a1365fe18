import type { PlanStep } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import type { Exec, ExecResult, ProgramName } from '../../exec/exec.ts';
import { NoHostWrites } from '../../host/host-writes.ts';
import { MemoryHostFiles } from '../../host/memory-host-files.ts';
import type { KernelState } from '../action-host.ts';
import { errnoOf } from './errno-words.ts';
import { pickLines } from './kernel-log.ts';
import { runStep } from './step-runner.ts';

const rmmod: PlanStep = { kind: 'rmmod', kmod: 'dummy', parameters: [], because: '' };
const modprobe: PlanStep = { kind: 'modprobe', kmod: 'dummy', parameters: ['a=1', 'b=x,y'], because: '' };
const ok: ExecResult['ended'] = { kind: 'exited', code: 0 };

/** A host whose programs end as told and leave the kmod in a state. */
class ScriptedHost {
  readonly files = new MemoryHostFiles();
  readonly writes = new NoHostWrites();
  readonly calls: string[][] = [];
  readonly taints: number[];
  readonly state: KernelState;
  readonly systemd: boolean;
  readonly #answer: (program: ProgramName) => Partial<ExecResult>;

  constructor(
    state: KernelState,
    answer: Partial<ExecResult> | ((program: ProgramName) => Partial<ExecResult>),
    systemd = false,
    taints = [0, 0],
  ) {
    this.state = state;
    this.systemd = systemd;
    this.taints = taints;
    this.#answer = typeof answer === 'function' ? answer : () => answer;
  }

  readonly exec: Exec = {
    find: (program) => `/usr/sbin/${program}`,
    run: (program, args) => {
      this.calls.push([program, ...args]);
      return Promise.resolve({ ended: ok, stdout: '', stderr: '', durationMs: 12.4, ...this.#answer(program) });
    },
    stream: () => {
      throw new Error('no step streams');
    },
  };

  stateOf(): Promise<KernelState> {
    return Promise.resolve(this.state);
  }

  taint(): Promise<number | undefined> {
    return Promise.resolve(this.taints.shift());
  }
}

describe('a step', () => {
  it('runs rmmod with the name and nothing else', async () => {
    const host = new ScriptedHost('absent', {});
    const report = await runStep(host, rmmod, 'id');
    expect(host.calls).toEqual([['rmmod', 'dummy']]);
    expect(report).toMatchObject({ end: { kind: 'done' }, result: { exitCode: 0, verified: true, durationMs: 12 } });
  });

  it('runs modprobe with name and parameters behind --', async () => {
    const host = new ScriptedHost('live', {});
    await runStep(host, modprobe, 'id');
    expect(host.calls).toEqual([['modprobe', '--', 'dummy', 'a=1', 'b=x,y']]);
  });

  it('unloads in a transient unit with a short stop timeout where there is systemd', async () => {
    const host = new ScriptedHost('absent', {}, true);
    await runStep(host, rmmod, '0123456789');
    expect(host.calls).toHaveLength(1);
    expect(host.calls[0]).toEqual(
      expect.arrayContaining([
        'systemd-run',
        '--unit=modfleet-01234567-dummy',
        '--property=TimeoutStopSec=3s',
        '--property=CapabilityBoundingSet=CAP_SYS_MODULE',
        '--',
        '/usr/sbin/rmmod',
        'dummy',
      ]),
    );
  });

  it('does not call an unload over that goes on in its unit after the time limit', async () => {
    const host = new ScriptedHost('live', { ended: { kind: 'timed_out', reaped: true } }, true);
    expect((await runStep(host, rmmod, '0123456789')).end.kind).toBe('stuck');
    expect(host.calls).toHaveLength(1);
  });

  it('runs rmmod itself when systemd takes no unit', async () => {
    const host = new ScriptedHost(
      'absent',
      (program) =>
        program === 'systemd-run'
          ? { ended: { kind: 'exited', code: 1 }, stderr: 'Failed to connect to bus: No such file or directory\n' }
          : {},
      true,
    );
    expect((await runStep(host, rmmod, 'id')).end.kind).toBe('done');
    expect(host.calls.map(([program]) => program)).toEqual(['systemd-run', 'rmmod']);
  });

  it.each<[string, PlanStep, KernelState, Partial<ExecResult>, readonly number[]]>([
    // modprobe -r and rmmod lie both ways; /proc/modules does not.
    ['done', rmmod, 'absent', { ended: { kind: 'exited', code: 1 } }, [0, 0]],
    ['not_verified', modprobe, 'absent', {}, [0, 0]],
    ['not_verified', rmmod, 'live', {}, [0, 0]],
    ['not_verified', rmmod, 'unknown', {}, [0, 0]],
    [
      'rejected',
      rmmod,
      'live',
      { ended: { kind: 'exited', code: 1 }, stderr: 'rmmod: ERROR: Module dummy is in use\n' },
      [0, 0],
    ],
    ['rejected', modprobe, 'absent', { ended: { kind: 'not_started', reason: 'modprobe is not installed' } }, [0, 0]],
    ['stuck', rmmod, 'unloading', { ended: { kind: 'timed_out', reaped: false } }, [0, 0]],
    ['stuck', modprobe, 'loading', { ended: { kind: 'timed_out', reaped: true } }, [0, 0]],
    ['stuck', rmmod, 'live', { ended: { kind: 'timed_out', reaped: false } }, [0, 0]],
    ['rejected', modprobe, 'absent', { ended: { kind: 'timed_out', reaped: true } }, [0, 0]],
    ['done', rmmod, 'absent', { ended: { kind: 'timed_out', reaped: true } }, [0, 0]],
    ['kernel_died', rmmod, 'unloading', { ended: { kind: 'signalled', signal: 'SIGKILL' } }, [12288, 12288 + 128]],
    ['kernel_died', modprobe, 'live', {}, [0, 128]],
    ['rejected', modprobe, 'absent', { ended: { kind: 'exited', code: 1 } }, [128, 128]],
    ['done', modprobe, 'live', {}, [0, 12288]],
  ])('is %s', async (end, step, state, ran, taints) => {
    expect((await runStep(new ScriptedHost(state, ran, false, [...taints]), step, 'id')).end.kind).toBe(end);
  });

  it('keeps the words and the errno behind them', async () => {
    const stderr = "modprobe: ERROR: could not insert 'dummy': Key was rejected by service\n";
    const { end, result } = await runStep(
      new ScriptedHost('absent', { ended: { kind: 'exited', code: 1 }, stderr }),
      modprobe,
      'id',
    );
    expect(result.errno).toBe('EKEYREJECTED');
    expect(end).toMatchObject({ message: expect.stringContaining('Key was rejected by service') });
  });

  it('does not run a kind of step that it does not know', async () => {
    const host = new ScriptedHost('live', {});
    expect((await runStep(host, { ...rmmod, kind: 'rmmod -f' }, 'id')).end.kind).toBe('rejected');
    expect(host.calls).toEqual([]);
  });
});

describe('errno behind the words', () => {
  it.each([
    ["rmmod: ERROR: could not remove 'x': Device or resource busy", 'EBUSY'],
    ['rmmod: ERROR: Module x is in use by: a b', 'EAGAIN'],
    ["could not insert 'x': Operation not permitted", 'EPERM'],
    ['Unknown symbol in module, or unknown parameter (see dmesg)', 'ENOENT'],
    ['insmod: ERROR: could not insert module: Invalid module format', 'ENOEXEC'],
    ["could not insert 'x': Numerical result out of range", 'ERANGE'],
    ["could not insert 'x': No such device", 'ENODEV'],
    ["could not insert 'x': No such device or address", 'ENXIO'],
    ['something new', ''],
  ])('%s is %s', (words, errno) => {
    expect(errnoOf(words)).toBe(errno);
  });
});

describe('kernel log', () => {
  const log = `[    1.000000] mf_hello: long ago
[   20.000000] mf_hello: hello, world
[   20.100000] mf-hello says so too
[   20.200000] other: nothing of ours
[   20.300000] not_mf_hello: another
[   20.400000] BUG: kernel NULL pointer dereference, address: 0000000000000000
<6>garbled`;

  it('picks lines of the kmod and marks of a fault, since the start', () => {
    expect(pickLines(log, 'mf_hello', 20_500).map((line) => line.slice(15))).toEqual([
      'mf_hello: hello, world',
      'mf-hello says so too',
      'BUG: kernel NULL pointer dereference, address: 0000000000000000',
    ]);
  });
});
