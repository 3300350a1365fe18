import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CliError } from '../../errors/cli-error.ts';
import { PLAN_ID } from '../../testing/rollout-samples.ts';
import { readRolloutFile } from './rollout-file.ts';

const read = (...lines: string[]) => readRolloutFile('rollout.yaml', lines.join('\n'));

/** What is said of a file that is wrong. */
async function refusal(...lines: string[]): Promise<string> {
  try {
    await read(...lines);
  } catch (error) {
    if (error instanceof CliError) return [error.message, ...error.details, ...error.hints].join('\n');
    throw error;
  }
  return 'nothing is wrong';
}

describe('readRolloutFile', () => {
  it('reads all that can be said', async () => {
    expect(
      await read(
        'plan:',
        '  verb: set-parameters',
        '  kmod: nf-conntrack',
        "  selector: 'env=prod,@kernel~6.1.*'",
        '  parameters: {hashsize: 065536, expect_hashsize: 1, quiet: true, empty: }',
        '  confirm_window: 2m',
        '  overrides: [route]',
        '  wait: 45s',
        '  reason: CVE-2026-1',
        'waves: [1, 10%, 100%]',
        'canary: true',
        'concurrency: 5%',
        'bake: 300',
        'budget:',
        '  failed: 2%',
        '  unreachable: 5',
        '  wave: {failed: 1}',
        'on_budget: roll-back',
        'deadline: 2h',
        'offline: skip',
        'order: random:42',
        'require_approval: true',
        'reason: the same',
      ),
    ).toEqual({
      plan: {
        verb: 'set_parameters',
        kmod: 'nf_conntrack',
        selector: 'env=prod,@kernel~6.1.*',
        parameters: { hashsize: '065536', expect_hashsize: '1', quiet: 'true', empty: '' },
        confirmWindow: 120,
        overrides: ['route'],
        answerWithin: 45,
        reason: 'CVE-2026-1',
      },
      settings: {
        waves: ['1', '10%', '100%'],
        canary: true,
        concurrency: '5%',
        bake: 300,
        budget: { whole: { failed: '2%', unreachable: '5' }, wave: { failed: '1' } },
        onBudget: 'roll_back',
        deadline: 7200,
        offline: 'skip',
        order: { by: 'random', seed: 42 },
        requireApproval: true,
        reason: 'the same',
      },
    });
  });

  it('takes the id of a plan, waves as one text, and hosts by name', async () => {
    expect(await read(`plan: ${PLAN_ID}`, 'waves: 1,10%')).toEqual({
      plan: PLAN_ID,
      settings: { waves: ['1', '10%'] },
    });
    const { plan } = await read('plan: {verb: unload, kmod: floppy, hosts: [web-1, db-2]}');
    expect(plan).toEqual({ verb: 'unload', kmod: 'floppy', hosts: ['web-1', 'db-2'] });
  });

  it.each([
    [['waves: [10%, 5%]'], 'rollout.yaml, line 1: waves: waves grow, and 5% does not reach further than 10%'],
    [['canary: true', 'wavs: [1]'], 'line 2: there is no key "wavs" here; did you mean waves?'],
    [['onBudget: pause'], 'line 1: there is no key "onBudget" here; did you mean on_budget?'],
    [['colour: red'], 'line 1: there is no key "colour" here; keys: plan, waves, canary'],
    [['budget:', '  failed: 1', '  faild: 2%'], 'line 3: there is no key "faild" in budget; did you mean failed?'],
    [['budget:', '  wave: {failed: few}'], 'line 2: budget.wave.failed takes a number of hosts or a percentage'],
    [['plan:', '  kmod: floppy', '  all: true'], 'line 1: plan has no verb'],
    [
      ['plan:', '  verb: unload', '  kmod: floppy'],
      'line 1: say which hosts are meant; in one of these ways: selector, hosts or all: true',
    ],
    [['plan:', '  verb: unlaod', '  kmod: floppy', '  all: true'], 'line 2: plan.verb takes one of load, unload'],
    [['plan: floppy'], 'line 1: "floppy" is no id of a plan'],
    [['canary: yes'], 'line 1: canary takes true or false'],
    [['bake: soon'], 'line 1: bake takes a time'],
    [['waves: [1', 'canary: true'], 'rollout.yaml, line'],
    [['bake: 1m', 'bake: 2m'], 'line 2: no YAML: Map keys must be unique'],
    [['- 1'], 'rollout.yaml is no rollout: it has no keys'],
    [[''], 'rollout.yaml is empty'],
  ])('%j', async (lines, message) => {
    expect(await refusal(...lines)).toContain(message);
  });

  it('tells all faults at once, by line', async () => {
    const said = await refusal('offline: never', 'plan:', '  verb: unload', '  kmod: a/b', '  al: true', 'order: name');
    expect(said.split('\n').map((line) => line.slice(0, 30))).toEqual([
      'rollout.yaml has 4 faults:',
      '  line 1: offline takes one of',
      '  line 4: "a/b" is no kmod nam',
      '  line 5: there is no key "al"',
      '  line 6: order takes random, ',
      'what a file may say: docs/roll',
    ]);
  });

  it('reads the example of the page as it stands there', async () => {
    const page = readFileSync(new URL('../../../../../docs/rollout-file.md', import.meta.url), 'utf8');
    const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text);
    expect(examples.length).toBeGreaterThan(1);
    for (const text of examples) expect(Object.keys(await readRolloutFile('example', text))).toContain('settings');
  });
});
