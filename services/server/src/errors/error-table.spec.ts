import { readFileSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { ERROR_TABLE } from './error-table.ts';

describe('docs/api.md', () => {
  it('has the error table as it is', () => {
    const page = readFileSync(new URL('../../../../docs/api.md', import.meta.url), 'utf8');
    const rows = Object.entries(ERROR_TABLE).map(
      ([code, row]) => `| \`${code}\` | ${row.http} | ${status[row.grpc]} | ${row.exit} | ${row.title} |`,
    );
    expect(
      page
        .slice(page.indexOf('|---|---|---|---|---|\n') + '|---|---|---|---|---|\n'.length)
        .trim()
        .split('\n'),
    ).toEqual(rows);
  });
});
