import { chmodSync, closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeExec, NoExec } from './node-exec.ts';

describe('NodeExec', () => {
  let folder: string;
  let exec: NodeExec;

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'modfleet-exec-'));
    const program = (name: string, body: string): void => {
      writeFileSync(path.join(folder, name), `#!/bin/sh\n${body}\n`);
      chmodSync(path.join(folder, name), 0o755);
    };
    program('modprobe', 'printf "%s|" "$@"; echo "$LC_ALL:$HOME" >&2; exit 3');
    program('rmmod', 'sleep 600 & echo begun; wait');
    program('dmesg', 'kill -SEGV $$');
    program('dmsetup', 'i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890; i=$((i+1)); done');
    program('udevadm', 'echo one; echo two; exec sleep 600');
    writeFileSync(path.join(folder, 'ip'), 'not executable');
    exec = new NodeExec({ folders: ['/nonexistent', folder], anyVector: true });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('finds programs in its folders only, and only executable ones', () => {
    expect(exec.find('modprobe')).toBe(`${folder}/modprobe`);
    expect(exec.find('ip')).toBeUndefined();
    expect(exec.find('systemd-run')).toBeUndefined();
  });

  it('passes arguments as they are, no environment but its own, and gives exit code and output', async () => {
    const result = await exec.run('modprobe', ['a b', '$(id)', ';', '*'], { timeoutMs: 10_000 });
    expect(result).toMatchObject({ ended: { kind: 'exited', code: 3 }, stdout: 'a b|$(id)|;|*|', stderr: 'C:\n' });
  });

  it('kills the whole group at the time limit', async () => {
    const result = await exec.run('rmmod', ['x'], { timeoutMs: 3_000 });
    expect(result.ended).toEqual({ kind: 'timed_out', reaped: true });
    expect(result.stdout).toBe('begun\n');
  });

  it('names the signal of a program that died', async () => {
    expect((await exec.run('dmesg', [], { timeoutMs: 10_000 })).ended).toEqual({
      kind: 'signalled',
      signal: 'SIGSEGV',
    });
  });

  it('cuts long output and still waits for the end', async () => {
    const result = await exec.run('dmsetup', [], { timeoutMs: 30_000, maxOutputBytes: 1_000 });
    expect(result.ended).toEqual({ kind: 'exited', code: 0 });
    expect(result.stdout).toHaveLength(1_000);
  });

  it('says that a program is missing', async () => {
    expect((await exec.run('systemd-run', [], { timeoutMs: 1_000 })).ended).toEqual({
      kind: 'not_started',
      reason: 'systemd-run is not installed',
    });
  });

  it('streams lines and tells the end', async () => {
    const stream = exec.stream('udevadm', ['monitor']);
    const lines: string[] = [];
    await new Promise<void>((resolve) => {
      stream.onLine((line) => {
        lines.push(line);
        if (lines.length === 2) resolve();
      });
    });
    const ended = new Promise<string>((resolve) => stream.onEnd(resolve));
    stream.stop();
    expect(lines).toEqual(['one', 'two']);
    expect(await ended).toContain('SIGKILL');
  });

  it('gives a program an open file to read, and parts what it says at NUL', async () => {
    const file = path.join(folder, 'fields');
    writeFileSync(file, 'one\0two\nlines\0');
    const opened = openSync(file, 'r');
    const stream = new NodeExec().stream('cat', [], { stdin: opened, lineEnd: '\0' });
    const lines: string[] = [];
    stream.onLine((line) => lines.push(line));
    const why = await new Promise<string>((resolve) => stream.onEnd(resolve));
    closeSync(opened);
    expect(lines).toEqual(['one', 'two\nlines']);
    expect(why).toContain('exit 0');
  });

  it('ends the stream of a program that is missing', async () => {
    const why = await new Promise<string>((resolve) => exec.stream('systemd-run', []).onEnd(resolve));
    expect(why).toBe('systemd-run is not installed');
  });
});

describe('NoExec', () => {
  it('finds and runs nothing', async () => {
    const exec = new NoExec();
    expect(exec.find()).toBeUndefined();
    expect((await exec.run('rmmod')).ended.kind).toBe('not_started');
  });
});
