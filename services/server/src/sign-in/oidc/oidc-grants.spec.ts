import { describe, expect, it } from 'vitest';
import { grantsOf, parseGroupGrants } from './oidc-grants.ts';

describe('rules of groups', () => {
  it('give roles over the fleet, or over hosts', () => {
    expect(
      parseGroupGrants(
        ' admin from platform;operator over env=staging,role in (web,db) from sre ; viewer from cn=all staff,ou=groups,dc=example;',
      ),
    ).toEqual([
      { role: 'admin', selector: null, group: 'platform' },
      { role: 'operator', selector: 'env in (staging),role in (web,db)', group: 'sre' },
      { role: 'viewer', selector: null, group: 'cn=all staff,ou=groups,dc=example' },
    ]);
    expect(parseGroupGrants('')).toEqual([]);
  });

  it.each([
    ['root from sre', '"root" is no role; there are viewer, operator, approver, admin'],
    ['admin', 'is not "ROLE from GROUP"'],
    ['admin from ', 'is not "ROLE from GROUP"'],
    ['operator over @kernel~6.* from sre', 'narrowed by labels alone'],
    ['operator over env=! from sre', 'operator over env=!'],
  ])('%j is refused by its text', (text, why) => {
    expect(() => parseGroupGrants(text)).toThrow(why);
  });

  it('count each right once, and groups by their whole name', () => {
    const rules = parseGroupGrants('operator from sre; operator from oncall; admin from platform');
    expect(grantsOf(rules, ['oncall', 'sre', 'platform-guests'])).toEqual([{ role: 'operator', selector: null }]);
    expect(grantsOf(rules, [])).toEqual([]);
  });
});
