import { describe, expect, it } from 'vitest';
import { databaseProblem } from './database-problem.ts';

const failure = (message: string, code: string): Error => Object.assign(new Error(message), { code });

describe('databaseProblem', () => {
  it.each([
    ['relation "api_token" does not exist', '42P01', 'modfleet-server migrate'],
    ['database "x" does not exist', '3D000', 'createdb'],
    ['password authentication failed for user "x"', '28P01', 'DATABASE_PASSWORD_FILE'],
  ])('names the way out of: %s', (message, code, way) => {
    expect(databaseProblem(failure(message, code))).toContain(message);
    expect(databaseProblem(failure(message, code))).toContain(way);
    expect(databaseProblem(new Error('above', { cause: failure(message, code) }))).toContain(way);
  });

  it('knows nothing of other errors', () => {
    expect(databaseProblem(failure('x', '22012'))).toBeUndefined();
    expect(databaseProblem('text')).toBeUndefined();
  });
});
