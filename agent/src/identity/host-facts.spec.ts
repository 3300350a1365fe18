import { describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import { readHostFacts } from './host-facts.ts';

const NAMES = { '/proc/sys/kernel/hostname': 'now\n', '/etc/hostname': 'at-boot\n' };
const factsOf = (nodes: Record<string, string>, root: string) =>
  readHostFacts(new MemoryHostFiles(nodes), {
    mode: 'observe',
    policy: { allow: [], deny: [], protected: [], window: ['e1000*'], window_limit: 120 },
    root,
  });

describe('readHostFacts', () => {
  it('a machine has the name that its kernel knows now', async () => {
    expect((await factsOf(NAMES, '/')).hostname).toBe('now');
    expect((await factsOf({ '/etc/hostname': 'at-boot\n' }, '/')).hostname).toBe('at-boot');
  });

  it('a container that looks at the machine below a root does not give it its own name', async () => {
    expect((await factsOf(NAMES, '/host')).hostname).toBe('at-boot');
    expect((await factsOf({ '/proc/sys/kernel/hostname': 'c0ffee\n' }, '/host')).hostname).toBe('c0ffee');
  });
});
