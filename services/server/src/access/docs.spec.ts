import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PERMISSIONS, type Role, ROLES } from './roles.ts';
import { ROUTE_TABLE } from './route-table.ts';

const page = readFileSync(new URL('../../../../docs/api.md', import.meta.url), 'utf8');

/** What was typed: from the lines of the examples that begin with "$ ". */
const examples = page
  .split('\n')
  .filter((line) => line.startsWith('$ '))
  .map((line) => ({
    method: / -X ([A-Z]+)/.exec(line)?.[1] ?? (/ -d '/.test(line) ? 'POST' : 'GET'),
    path: /(?:\$A|127\.0\.0\.1:7780)(\/[^"'?\s]*)/.exec(line)?.[1] ?? '',
    api: line.includes('$A'),
  }));

/** The route that a path is an example of. */
function isExampleOf(route: string, method: string, path: string): boolean {
  const [wanted, pattern = ''] = route.split(' ');
  const parts = pattern.split('/');
  const given = path.split('/');
  return (
    wanted === method &&
    parts.length === given.length &&
    parts.every((part, at) => (part.startsWith(':') ? given[at] !== '' : part === given[at]))
  );
}

describe('docs/access.md', () => {
  const access = readFileSync(new URL('../../../../docs/access.md', import.meta.url), 'utf8');
  it.each(Object.entries(PERMISSIONS))('has the row of %s as the table of roles has it', (permission, roles) => {
    const row = access.split('\n').find((line) => line.startsWith(`| \`${permission}\``));
    const cells = row
      ?.split('|')
      .slice(2, -1)
      .map((cell) => cell.trim() === 'yes');
    expect(cells).toEqual(ROLES.map((role) => (roles as readonly Role[]).includes(role)));
  });
});

describe('docs/api.md', () => {
  it.each(Object.keys(ROUTE_TABLE))('has an example of %s', (route) => {
    const found = examples.some(({ method, path, api }) => isExampleOf(route, method, api ? `/api/v1${path}` : path));
    expect(found).toBe(true);
  });
});
