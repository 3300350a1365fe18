import { describe, expect, it } from 'vitest';
import { addressGroups, HOSTS_PER_SSHD, knownHosts, sshAddress, sshClientConfig, sshdConfig } from './ssh-config.ts';

describe('ssh hosts on loopback addresses', () => {
  it('gives each host an address of its own', () => {
    const addresses = Array.from({ length: 600 }, (_, number) => sshAddress(number));
    expect(new Set(addresses).size).toBe(600);
    expect(addresses.every((address) => address.startsWith('127.78.'))).toBe(true);
    expect([addresses[0], addresses[249], addresses[250]]).toEqual(['127.78.0.1', '127.78.0.250', '127.78.1.1']);
  });

  it('has an sshd listen on no more addresses than it can', () => {
    const groups = addressGroups(200);
    expect(groups.flat()).toHaveLength(200);
    expect(Math.max(...groups.map(({ length }) => length))).toBe(HOSTS_PER_SSHD);
  });

  it('listens nowhere else, and lets in by key only', () => {
    const config = sshdConfig({ folder: '/f', port: 2222, user: 'me' }, ['127.78.0.1', '127.78.0.2']);
    expect(config.match(/^ListenAddress .*$/gm)).toEqual(['ListenAddress 127.78.0.1', 'ListenAddress 127.78.0.2']);
    expect(config).toContain('AuthenticationMethods publickey\n');
    expect(config).toContain('AllowUsers me\n');
  });

  it('leaves the key exchange to Debian, unless tuned', () => {
    const settings = { folder: '/f', port: 2222, user: 'me' };
    expect(sshClientConfig(settings, { isTuned: false })).not.toContain('KexAlgorithms');
    expect(sshClientConfig(settings, { isTuned: true })).toContain('KexAlgorithms curve25519-sha256\n');
  });

  it('knows the host key under one name, without its comment', () => {
    expect(knownHosts('ssh-ed25519 AAAA root@here\n')).toBe('modfleet-bench ssh-ed25519 AAAA\n');
  });
});
