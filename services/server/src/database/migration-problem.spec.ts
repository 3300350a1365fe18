import { describe, expect, it } from 'vitest';
import { migrationProblem, touchesAuditLog } from './migration-problem.ts';

describe('migrationProblem', () => {
  it.each([
    ['password authentication failed for user "x"', 'check user and password in DATABASE_URL'],
    ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string', 'DATABASE_PASSWORD_FILE'],
    ['canceling statement due to lock timeout', 'run it again'],
    ['database "nosuch" does not exist', 'create it (createdb)'],
    ['ERROR: permission denied for schema public', 'make it the owner of the database'],
  ])('%s has a way out', (message, way) => {
    expect(migrationProblem(new Error(message))).toMatch(`${message}; `);
    expect(migrationProblem(new Error(message))).toContain(way);
  });

  it("leaves the engine's call stack and connection strings out", () => {
    const text = [
      'ERROR: permission denied for schema public at postgresql://u:secret@h/d now',
      '   0: sql_schema_connector::sql_migration_persistence::initialize',
      '           with namespaces=None',
      '             at schema-engine/x.rs:17',
    ].join('\n');
    const said = migrationProblem(new Error(text));
    expect(said).not.toMatch(/secret|schema-engine|initialize/);
    expect(said).toContain('permission denied for schema public at postgresql://… now');
  });

  it('keeps what it does not know, line by line', () => {
    expect(migrationProblem('line 1\nline 2')).toBe('line 1\nline 2');
  });
});

describe('touchesAuditLog', () => {
  it.each([
    'ALTER TABLE audit.entry ADD COLUMN note text;',
    'ALTER TABLE "audit"."entry" ADD COLUMN note text;',
    'CREATE SCHEMA audit;',
    'GRANT USAGE ON SCHEMA audit TO x;',
    'DROP SCHEMA IF EXISTS "audit" CASCADE;',
  ])('%s', (script) => expect(touchesAuditLog(script)).toBe(true));

  it.each([
    '-- how so: docs/audit.md\nALTER TABLE host ADD COLUMN note text;',
    'ALTER TABLE audit_lease ADD COLUMN note text;',
    'ALTER TABLE host ADD COLUMN audit text;',
  ])('not %s', (script) => expect(touchesAuditLog(script)).toBe(false));
});
