import { describe, expect, it } from 'vitest';
import { ConfigError, readServerConfig } from './server-config.ts';

const URL = 'postgresql://modfleet:s3cret@db.example.org/modfleet';
const problems = (environment: Record<string, string>): readonly string[] => {
  try {
    readServerConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
};

describe('readServerConfig', () => {
  it('has a default for everything but the database', () => {
    expect(readServerConfig({ DATABASE_URL: URL })).toMatchObject({
      databaseDirectUrl: URL,
      httpListen: {
        host: '127.0.0.1',
        port: 7780,
      },
      sessionListen: {
        host: '127.0.0.1',
        port: 7781,
      },
      identityListen: {
        host: '127.0.0.1',
        port: 7782,
      },
      dbPoolSize: 10,
      dbConnectTimeoutMs: 2_000,
      dbPreparedStatements: true,
      eventRetentionDays: 90,
      retireAfterDays: 30,
      heartbeatIntervalMs: 3e4,
      hostCertHours: 24,
      httpTls: null,
    });
    expect(problems({})).toEqual([expect.stringContaining('DATABASE_URL is not set')]);
  });

  it('lists everything that is wrong, together and without values', () => {
    const found = problems({
      DATABASE_URL: 'mysql://root:s3cret@db',
      MODFLEET_DB_POOL_SIZE: 'many',
      MODFLEET_HTTP_LISTEN: '7780',
      MODFLEET_LOG_LEVEL: 'loud',
    });
    expect(found.map((problem) => problem.split(' ')[0])).toEqual([
      'DATABASE_URL',
      'MODFLEET_HTTP_LISTEN',
      'MODFLEET_LOG_LEVEL',
      'MODFLEET_DB_POOL_SIZE',
    ]);
    expect(found.join()).not.toContain('s3cret');
  });

  it('does not serve plain HTTP to a network, and says what to do', () => {
    const open = { DATABASE_URL: URL, MODFLEET_HTTP_LISTEN: '0.0.0.0:7780' };
    expect(problems(open)).toEqual([expect.stringContaining('MODFLEET_HTTP_TLS_CERT_FILE')]);
    expect(problems({ ...open, MODFLEET_TRUSTED_PROXY: '10.0.0.1' })).toEqual([]);
    expect(problems({ ...open, MODFLEET_HTTP_TLS_CERT_FILE: 'c', MODFLEET_HTTP_TLS_KEY_FILE: 'k' })).toEqual([]);
    expect(problems({ ...open, MODFLEET_HTTP_TLS_CERT_FILE: 'c' })).toEqual([
      expect.stringContaining('belong together'),
    ]);
    expect(problems({ DATABASE_URL: URL, MODFLEET_HTTP_LISTEN: '[::1]:0' })).toEqual([]);
  });

  it('takes addresses and CIDRs for proxies, and names the setting for anything else', () => {
    for (const good of ['10.0.0.1', '10.0.0.0/8, ::1', 'fd00::/8', '10.0.0.0/255.0.0.0', 'loopback,'])
      expect([good, problems({ DATABASE_URL: URL, MODFLEET_TRUSTED_PROXY: good })]).toEqual([good, []]);
    for (const bad of [
      'garbage',
      '*',
      'true',
      '127.0.0.1/33',
      '::1/129',
      '10.0.0.1/',
      '10.0.0.0/0',
      '10.0.0.0/8/8',
      '1',
    ])
      expect(problems({ DATABASE_URL: URL, MODFLEET_TRUSTED_PROXY: `10.0.0.1,${bad}` })).toEqual([
        expect.stringContaining(`MODFLEET_TRUSTED_PROXY ${JSON.stringify(bad)} is no address`),
      ]);
  });

  it('takes an empty value for none, and names as a list', () => {
    const config = readServerConfig({
      DATABASE_URL: URL,
      MODFLEET_TRUSTED_PROXY: '',
      MODFLEET_SERVER_NAMES: 'a.example.org, 10.0.2.2,',
    });
    expect(config).toMatchObject({ trustedProxy: null, serverNames: ['a.example.org', '10.0.2.2'] });
  });

  it('wants all that an identity provider needs, and nothing that would be read in the open', () => {
    const oidc = {
      DATABASE_URL: URL,
      MODFLEET_PUBLIC_URL: 'https://modfleet.example.org/',
      MODFLEET_OIDC_ISSUER: 'https://id.example.org/realms/ops',
      MODFLEET_OIDC_CLIENT_ID: 'modfleet',
      MODFLEET_OIDC_GRANTS: 'admin from platform',
    };
    expect(readServerConfig({ DATABASE_URL: URL }).oidc).toBeNull();
    expect(readServerConfig(oidc).oidc).toMatchObject({
      redirectUri: 'https://modfleet.example.org/api/v1/oidc/callback',
      clientSecret: undefined,
      groupGrants: [{ role: 'admin', selector: null, group: 'platform' }],
      makesAccounts: false,
    });
    expect(problems({ DATABASE_URL: URL, MODFLEET_OIDC_ISSUER: 'https://id.example.org' })).toEqual([
      expect.stringContaining('MODFLEET_OIDC_CLIENT_ID is not set'),
      expect.stringContaining('MODFLEET_PUBLIC_URL is not set'),
    ]);
    for (const [name, value] of [
      ['MODFLEET_OIDC_ISSUER', 'http://id.example.org'],
      ['MODFLEET_OIDC_ISSUER', 'https://user:secret@id.example.org'],
      ['MODFLEET_OIDC_SCOPES', 'profile'],
      ['MODFLEET_OIDC_GRANTS', 'root from platform'],
      ['MODFLEET_OIDC_MAKE_ACCOUNTS', 'perhaps'],
      ['MODFLEET_OIDC_CLIENT_SECRET_FILE', '/nowhere/secret'],
      ['MODFLEET_PUBLIC_URL', 'https://modfleet.example.org/path'],
      ['MODFLEET_PUBLIC_URL', 'http://modfleet.example.org'],
    ] as const)
      expect(problems({ ...oidc, [name]: value }), `${name}=${value}`).toEqual([expect.stringContaining(name)]);
    expect(problems({ ...oidc, MODFLEET_OIDC_ISSUER: 'http://127.0.0.1:9000' })).toEqual([]);
  });
});
