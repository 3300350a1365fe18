import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { AGENT_VERSION } from './version.ts';

it('the constant is the version of the package', async () => {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  expect((JSON.parse(text) as { version: string }).version).toBe(AGENT_VERSION);
});
