import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseServerAddress } from './agent-config.ts';
import { ConfigError, loadConfig, parseConfig } from './load-config.ts';

function problemsOf(text: string): readonly string[] {
  try {
    parseConfig(text, 'agent.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('settings', () => {
  it('have safe defaults', () => {
    expect(parseConfig('', 'agent.yaml')).toEqual({
      mode: 'observe',
      reboot_to_recover: false,
      state_dir: '/var/lib/modfleet',
      join_file: '/etc/modfleet/join',
      policy: { allow: [], deny: [], protected: [], window: [], window_limit: 600 },
      log_level: 'info',
      root: '/',
    });
  });

  it('are read', () => {
    const config = parseConfig('server: 10.0.2.2:7782\nmode: act\npolicy:\n  protected: ["nvme-*"]\n', 'agent.yaml');
    expect(config).toMatchObject({
      server: { host: '10.0.2.2', port: 7782 },
      mode: 'act',
      policy: { protected: ['nvme_*'] },
    });
  });

  it('list every problem at once, and name the key that was meant', () => {
    const text = 'sever: a:1\nmode: destroy\nstate_dir: var\npolicy:\n  protectd: []\n  deny: ["a/b"]\nwhatever: 1\n';
    const problems = problemsOf(text);
    expect(problems).toHaveLength(6);
    expect(problems).toContain('sever: there is no such setting; did you mean server?');
    expect(problems).toContain('policy.protectd: there is no such setting; did you mean protected?');
    expect(problems).toContainEqual(expect.stringContaining('whatever: there is no such setting (known: server'));
    expect(problems).toContainEqual(expect.stringMatching(/^mode: /));
    expect(problems).toContainEqual(expect.stringMatching(/^state_dir: must be an absolute path/));
    expect(problems).toContainEqual(expect.stringMatching(/^policy\.deny\.0: is no kmod name/));
  });

  it.each(['a: [', 'a: 1\na: 2', '- 1', 'text'])('refuse %j', (text) => {
    expect(problemsOf(text).length).toBeGreaterThan(0);
  });

  it('may be absent only where nobody named a file', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'modfleet-config-'));
    try {
      await expect(loadConfig(path.join(folder, 'none.yaml'))).rejects.toThrow('there is no such file');
      await writeFile(path.join(folder, 'agent.yaml'), 'mode: act\n');
      await expect(loadConfig(path.join(folder, 'agent.yaml'))).resolves.toMatchObject({ mode: 'act' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('server addresses', () => {
  it.each([
    ['10.0.2.2:7782', { host: '10.0.2.2', port: 7782 }],
    ['server.example.com', { host: 'server.example.com', port: 7782 }],
    ['[::1]:99', { host: '::1', port: 99 }],
    ['[fe80::1%eth0]', { host: 'fe80::1%eth0', port: 7782 }],
  ])('%s', (text, address) => {
    expect(parseServerAddress(text)).toEqual(address);
  });

  it.each(['', ':7782', 'a:0', 'a:65536', 'http://a', '::1', 'a b'])('%j is none', (text) => {
    expect(parseServerAddress(text)).toBeUndefined();
  });
});
