import type { PlanStep } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { listContent, listPath } from '../../host/host-writes.ts';
import { MemoryHostFiles } from '../../host/memory-host-files.ts';
import { MemoryHostWrites } from '../../host/memory-host-writes.ts';
import { runWriteStep, type WriteStepKind } from './write-steps.ts';

const FOLDER = '/sys/module/dummy/parameters';

function aHost(nodes: Record<string, string> = {}) {
  const files = new MemoryHostFiles({
    [`${FOLDER}/a`]: '1\n',
    [`${FOLDER}/b`]: 'N\n',
    [`${FOLDER}/c`]: '5\n',
    '/etc/modules-load.d/README': '',
    ...nodes,
  });
  return { files, writes: new MemoryHostWrites(files) };
}

function step(kind: WriteStepKind, ...parameters: string[]): PlanStep & { kind: WriteStepKind } {
  return { kind, kmod: 'dummy', parameters, because: '' };
}

const valueOf = async ({ files }: ReturnType<typeof aHost>, name: string): Promise<unknown> =>
  (await files.readText(`${FOLDER}/${name}`)).kind === 'ok' ? files.nodes.get(`${FOLDER}/${name}`) : undefined;

describe('set_parameters', () => {
  it('writes in the given order, and believes what it reads back', async () => {
    const host = aHost();
    host.writes.takes = (name, value) => ({ value: name === 'b' ? 'Y' : value });
    const { end, result } = await runWriteStep(host, step('set_parameters', 'b=1', 'a=2'));
    expect([end, result.verified]).toEqual([{ kind: 'done' }, true]);
    expect(host.writes.calls).toEqual(['dummy b=1', 'dummy a=2']);
  });

  it('puts back what was written before one that is refused, newest first, and says so', async () => {
    const host = aHost();
    host.writes.takes = (name, value) =>
      name === 'c' ? { errno: 'EINVAL' } : { value: value === '1' && name === 'b' ? 'Y' : value };
    const { end, result } = await runWriteStep(host, step('set_parameters', 'a=2', 'b=1', 'c=6'));
    expect(end).toMatchObject({ kind: 'rejected' });
    expect(end).toMatchObject({ message: expect.stringContaining('c of dummy did not take 6 (EINVAL), and is 5') });
    expect(end).toMatchObject({ message: expect.stringContaining('; b was put back to N; a was put back to 1') });
    expect(result).toMatchObject({ errno: 'EINVAL', verified: false });
    expect(host.writes.calls.slice(3)).toEqual(['dummy b=N', 'dummy a=1']);
    expect(await valueOf(host, 'a')).toBe('1\n');
  });

  it('puts back one that took something else, and says what it could not put back', async () => {
    const host = aHost();
    let times = 0;
    host.writes.takes = (name) => (name === 'a' && times++ === 0 ? { value: '7' } : { errno: 'EIO' });
    const { end } = await runWriteStep(host, step('set_parameters', 'a=2'));
    expect(end).toMatchObject({
      kind: 'not_verified',
      message: expect.stringContaining('a of dummy took 2, and is 7'),
    });
    expect(end).toMatchObject({ message: expect.stringContaining('a could not be put back to 1') });
  });

  it('is stuck when a write does not return', async () => {
    const host = aHost();
    host.writes.setParameter = () => new Promise(() => undefined);
    expect((await runWriteStep(host, step('set_parameters', 'a=2'), 5)).end.kind).toBe('stuck');
  });
});

describe('a list to load at boot', () => {
  const path = listPath('dummy');

  it('is written and removed, and twice is as once', async () => {
    const host = aHost();
    for (const kind of ['persist', 'persist', 'unpersist', 'unpersist'] as const) {
      expect((await runWriteStep(host, step(kind))).end).toEqual({ kind: 'done' });
      expect(host.files.nodes.get(path)).toBe(kind === 'persist' ? listContent('dummy') : undefined);
    }
  });

  it.each(['persist', 'unpersist'] as const)('of somebody else is not touched by %s', async (kind) => {
    const host = aHost({ [path]: 'dummy\n' });
    expect((await runWriteStep(host, step(kind))).end).toMatchObject({ kind: 'not_written' });
    expect(host.files.nodes.get(path)).toBe('dummy\n');
  });

  it('that cannot be written says why', async () => {
    const host = aHost();
    host.writes.readOnly = 'EROFS';
    const { end, result } = await runWriteStep(host, step('persist'));
    expect(end).toMatchObject({ kind: 'not_written', message: expect.stringContaining('EROFS') });
    expect(result.errno).toBe('EROFS');
  });
});
