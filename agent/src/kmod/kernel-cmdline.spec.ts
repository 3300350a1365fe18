import { describe, expect, it } from 'vitest';
import { cmdlineBlocks, parseCmdline } from './kernel-cmdline.ts';

describe('parseCmdline', () => {
  it('splits at blanks outside of quotes and drops the quotes', () => {
    expect(parseCmdline('ro  a=b "c=d e" f="g h"\n')).toEqual([
      { key: 'ro', value: undefined },
      { key: 'a', value: 'b' },
      { key: 'c', value: 'd e' },
      { key: 'f', value: 'g h' },
    ]);
  });

  it('reads a quote that never closes to the end', () => {
    expect(parseCmdline('a="b c')).toEqual([{ key: 'a', value: 'b c' }]);
  });
});

describe('cmdlineBlocks', () => {
  it('adds up lists, keeps the kernel’s own as written, and takes keys with either dash', () => {
    const words = parseCmdline(
      'modprobe.blacklist=a-b,c modprobe.blacklist=d module-blacklist=e-f,,g initcall_blacklist=h_init',
    );
    expect(cmdlineBlocks(words)).toEqual({
      modprobeBlacklist: ['a_b', 'c', 'd'],
      moduleBlacklist: ['e-f', 'g'],
      initcallBlacklist: ['h_init'],
    });
  });

  it('takes the last of two module_blacklist=, as the kernel does', () => {
    const blocked = (text: string) => cmdlineBlocks(parseCmdline(text)).moduleBlacklist;
    expect(blocked('module_blacklist=tipc,sctp quiet module_blacklist=rds')).toEqual(['rds']);
    expect(blocked('module_blacklist=tipc module-blacklist=')).toEqual([]);
    expect(blocked('module_blacklist=tipc module_blacklist')).toEqual(['tipc']);
  });

  it('leaves to init what stands after --, but for what libkmod reads by itself', () => {
    const words = parseCmdline(
      'module_blacklist=a initcall_blacklist=b -- module_blacklist=c modprobe.blacklist=d initcall_blacklist=e',
    );
    expect(cmdlineBlocks(words)).toEqual({
      modprobeBlacklist: ['d'],
      moduleBlacklist: ['a'],
      initcallBlacklist: ['b'],
    });
  });
});
