import { describe, expect, it } from 'vitest';
import type { StoredVerdict } from '../../actions/action.model.ts';
import type { Judged } from './plan.model.ts';
import { PlanTally } from './plan-tally.ts';

const verdict = (kmod: string): StoredVerdict => ({
  allowed: true,
  decidedBy: 'ok',
  findings: [],
  plan: [{ kind: 'rmmod', kmod, parameters: [], because: 'asked for' }],
  reloadPaths: [{ kind: 'alias', value: kmod }],
});
const CHANGES: Judged = { standing: 'would_change', code: '', message: '' };
const SAME: Judged = { standing: 'unchanged', code: 'already', message: 'it is so' };
const refused = (code: string, message: string): Judged => ({ standing: 'refused', code, message });
const host = (id: string) => ({ id, name: `web-${id}` });

describe('PlanTally', () => {
  it('puts hosts together, what would change and the most hosts first', () => {
    const tally = new PlanTally([]);
    const rare = tally.add(host('1'), CHANGES, verdict('rare'));
    const often = tally.add(host('2'), CHANGES, verdict('often'));
    for (const id of ['3', '4', '5', '6', '7']) expect(tally.add(host(id), CHANGES, verdict('often'))).toEqual(often);
    const same = tally.add(host('8'), SAME, { ...verdict(''), plan: [], reloadPaths: [] });
    expect(tally.add(host('9'), SAME, null)).toEqual(same);
    expect(tally.add(host('10'), refused('in_use', 'by x'), null)).toBeNull();
    tally.add(host('11'), refused('builtin', 'it is'), null);
    tally.add(host('12'), refused('builtin', 'it is, too'), null);
    tally.add(host('13'), { standing: 'unknown', code: 'silent', message: 'It never connected.' }, null);
    const { classes, refusals, unknowns, numberOf } = tally.groups();
    expect(classes.map(({ class: number, hosts, digest }) => [number, hosts, digest])).toEqual([
      [0, 6, often?.digest],
      [1, 1, rare?.digest],
      [2, 2, same?.digest],
    ]);
    expect(classes[0]?.sample.map(({ name }) => name)).toEqual(['web-2', 'web-3', 'web-4', 'web-5', 'web-6']);
    expect(classes[0]?.reloadPaths).toEqual([{ kind: 'alias', value: 'often' }]);
    expect(refusals).toEqual([
      { code: 'builtin', message: 'it is', evidence: [], retried: false, hosts: 2, sample: [host('11'), host('12')] },
      { code: 'in_use', message: 'by x', evidence: [], retried: true, hosts: 1, sample: [host('10')] },
    ]);
    expect(unknowns).toMatchObject([{ code: 'silent', hosts: 1 }]);
    expect([rare, often, same, null].map(numberOf)).toEqual([1, 0, 2, null]);
  });

  it('never shows the steps of one host for those of another that says the same digest', () => {
    const tally = new PlanTally([]);
    tally.add(host('1'), CHANGES, { ...verdict('evil'), digest: 'aa' });
    tally.add(host('2'), CHANGES, { ...verdict('good'), digest: 'aa' });
    tally.add(host('3'), CHANGES, { ...verdict('good'), digest: 'aa' });
    const { classes } = tally.groups();
    expect(classes.map(({ digest, hosts, steps }) => [digest, hosts, steps[0]?.kmod])).toEqual([
      ['aa', 2, 'good'],
      ['aa', 1, 'evil'],
    ]);
  });
});
