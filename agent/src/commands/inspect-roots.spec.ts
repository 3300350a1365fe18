import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FsHostFiles } from '../host/fs-host-files.ts';
import { observeHost } from './host-report.ts';
import { inspectJson } from './inspect-json.ts';
import { inspectText } from './inspect-text.ts';

const ROOTS = new URL('../../testdata/roots/', import.meta.url).pathname;

describe.each(readdirSync(ROOTS))('inspect of the captured root %s', (name) => {
  const files = new FsHostFiles(`${ROOTS}${name}/root`);

  it('gives every facet as expected', async () => {
    const expected: unknown = JSON.parse(readFileSync(`${ROOTS}${name}/expected.json`, 'utf8'));
    expect(await inspectJson(await observeHost(files))).toEqual(expected);
  });

  it('says it to people as expected', async () => {
    expect(inspectText(await observeHost(files))).toBe(readFileSync(`${ROOTS}${name}/expected.txt`, 'utf8'));
  });
});
