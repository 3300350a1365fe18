import { describe, expect, it } from 'vitest';
import { ansibleAnswers, prefixedAnswers, tableAnswers } from './answers.ts';

describe('hosts that answered', () => {
  it('are counted in what clush and pdsh print', () => {
    const printed = '127.78.0.1: loaded\n127.78.0.2: absent\n127.78.0.3: ssh: connect: refused\n127.78.0.1: loaded\n';
    expect(prefixedAnswers(printed)).toBe(2);
  });

  it('are counted in what ansible prints', () => {
    const printed = [
      '127.78.0.2 | CHANGED | rc=0 >>',
      'absent',
      '127.78.0.1 | UNREACHABLE! => {',
      '    "changed": false,',
      '}',
      '127.78.0.3 | FAILED | rc=1 >>',
      'absent',
      '',
    ].join('\n');
    expect(ansibleAnswers(printed)).toBe(1);
  });

  it('are counted in what modfleet prints', () => {
    expect(tableAnswers('HOST  STATE   SEEN\nweb-1  loaded  3s ago\nweb-2  loaded  3s ago\nweb-3  builtin\n')).toBe(2);
  });
});
