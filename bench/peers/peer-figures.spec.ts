import { describe, expect, it } from 'vitest';
import { type PeerRun, peerFigures, unmeasuredFigure } from './peer-figures.ts';

function run(answers: number, wallMs: number): PeerRun {
  return { answers, wallMs, cpuMs: wallMs / 2, askedCpuMs: undefined };
}

describe('figures of a peer', () => {
  it('are the median and the worst of its runs', () => {
    const figures = peerFigures('clush', 200, [run(200, 4_000), run(200, 2_000), run(200, 3_000)], '');
    expect(figures.map(({ name, value, holds }) => [name, value, holds])).toEqual([
      ['clush: last answer, median', 3, null],
      ['clush: last answer, worst', 4, null],
      ['clush: client CPU, median', 1.5, null],
      ['clush: runs without all 200 answers', 0, true],
    ]);
  });

  it('leave out a run that a host did not answer, and say so', () => {
    const figures = peerFigures('pdsh', 200, [run(200, 4_000), run(199, 100)], '');
    expect(figures[0]).toMatchObject({ value: 4, note: '1 runs, each with 200 answers' });
    expect(figures.at(-1)).toMatchObject({
      value: 1,
      holds: false,
      note: 'of 2; the fewest answers were 199; not counted',
    });
  });

  it('give no time when no run was whole, or none was made', () => {
    expect(peerFigures('pdsh', 200, [run(0, 100)], '')).toMatchObject([{ value: 1, holds: false }]);
    expect(unmeasuredFigure('pdsh', 200, 10, 'no pdsh')).toMatchObject({ value: 10, holds: false, note: 'no pdsh' });
  });

  it('tell what those who were asked used', () => {
    const figures = peerFigures('clush', 1, [{ ...run(1, 10), askedCpuMs: 5_000 }], "the hosts' sshd");
    expect(figures[2]?.note).toBe("beside it the hosts' sshd 5.00 s");
  });
});
