import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { environmentSchema, readServerConfig } from './server-config.ts';

const page = await readFile(new URL('../../../../docs/operations.md', import.meta.url), 'utf8');
const rows = page.split('\n').filter((line) => /^\| `(MODFLEET|DATABASE)_/.test(line));
const named = (row: string): string[] => (row.split(' | ')[0] ?? '').match(/[A-Z][A-Z_]+/g) ?? [];

it('docs/operations.md has a row for every setting, and for nothing else', () => {
  expect(rows.flatMap(named).toSorted()).toEqual(Object.keys(environmentSchema.shape).toSorted());
});

it('docs/operations.md tells the defaults', () => {
  const defaults: Record<string, unknown> = environmentSchema.parse({});
  for (const row of rows) {
    const [name = ''] = named(row);
    const cell = row.split(' | ')[1]?.replaceAll('`', '');
    const value = defaults[name];
    if (typeof value === 'number' || typeof value === 'string') expect(cell, name).toBe(String(value));
  }
  const { httpListen, sessionListen, identityListen } = readServerConfig({ DATABASE_URL: 'postgresql://h/d' });
  for (const { host, port } of [httpListen, sessionListen, identityListen])
    expect(rows.some((row) => row.includes(`| \`${host}:${port}\` |`))).toBe(true);
});
