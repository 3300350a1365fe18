import { describe, expect, it } from 'vitest';
import { FakeExec } from '../exec/fake-exec.ts';
import { actingProblems, type ActingFacts } from './acting-problems.ts';

const ABLE: ActingFacts = {
  report: { loaded: { kind: 'value', value: { kmods: [] } }, config: { kind: 'incapable', reason: 'a container' } },
  mode: 'act',
  exec: new FakeExec({ modprobe: () => ({}), rmmod: () => ({}), flock: () => ({}) }),
  capabilities: { sysModule: true, syslog: false },
};

describe('actingProblems', () => {
  it('finds none where an agent may act', () => {
    expect(actingProblems(ABLE)).toEqual([]);
  });

  it.each<[string, Partial<ActingFacts>]>([
    ['mode is observe', { mode: 'observe' }],
    ['no loadable kmods', { report: { ...ABLE.report, loaded: { kind: 'incapable', reason: 'no loadable kmods' } } }],
    ['CAP_SYS_MODULE', { capabilities: { sysModule: false, syslog: true } }],
    ['capabilities of whoever would act cannot be read', { capabilities: undefined }],
    ['rmmod is missing', { exec: new FakeExec({ modprobe: () => ({}), flock: () => ({}) }) }],
    ['modprobe is missing', { exec: new FakeExec({ rmmod: () => ({}), flock: () => ({}) }) }],
    ['flock is missing', { exec: new FakeExec({ modprobe: () => ({}), rmmod: () => ({}) }) }],
    [
      'modules_disabled is 1',
      {
        report: {
          ...ABLE.report,
          config: {
            kind: 'value',
            value: {
              modprobe: [],
              modulesLoad: [],
              kernelCmdline: '',
              blocks: [],
              unreadable: [],
              modulesDisabled: true,
            },
          },
        },
      },
    ],
  ])('says that %s', (words, facts) => {
    const problems = actingProblems({ ...ABLE, ...facts });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(words);
  });
});
