import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { agentConfigSchema } from './agent-config.ts';
import { parseConfig } from './load-config.ts';

const page = await readFile(new URL('../../../docs/agent.md', import.meta.url), 'utf8');

it('every setting has its row in docs/agent.md, with its default', () => {
  const defaults: Record<string, unknown> = parseConfig('', 'agent.yaml');
  for (const key of Object.keys(agentConfigSchema.shape)) {
    if (key === 'policy') continue;
    const row = page.split('\n').find((line) => line.startsWith(`| \`${key}\` |`));
    expect(row, key).toBeDefined();
    const value = defaults[key];
    if (typeof value === 'string') expect(row).toContain(`| \`${value}\` |`);
  }
  for (const [key, value] of Object.entries(parseConfig('', 'agent.yaml').policy))
    expect(page).toContain(`| \`policy.${key}\` | \`${JSON.stringify(value)}\` |`);
});
