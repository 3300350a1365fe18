import { readFile } from 'node:fs/promises';
import {
  ALL_OUTCOME_WORDS,
  FINDING_CODES,
  findingLayer,
  FindingLayer,
  OUTCOME_WORDS,
  REASON_CODES,
  VERB_WORDS,
  isKnownOutcome,
  verbFromWord,
} from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import type { Holding, KernelState } from '../action-host.ts';
import type { OpenAction } from '../ledger.ts';
import type { StepKind } from './facts.ts';
import { type Aftermath, PROOFS, settle, type Whole } from '../recovery.ts';
import { anIntent, anOkVerdict, aRequest } from '../testing/builders.ts';

const page = await readFile(new URL('../../../../docs/outcomes.md', import.meta.url), 'utf8');

/** First cells of the rows of the table below a heading. */
function rows(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  return [...section.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map((match) => [
    match[1] ?? '',
    ...(match[2] ?? '').split(' | '),
  ]);
}

describe('docs/outcomes.md', () => {
  it('has every finding, in deciding order, with its layer', () => {
    const found = rows('Findings, in the order');
    expect(found.map(([code]) => code)).toEqual(FINDING_CODES);
    const layers = FINDING_CODES.map((code) =>
      findingLayer(code) === FindingLayer.FINDING_LAYER_KERNEL ? 'kernel' : 'policy',
    );
    expect(found.map(([, layer]) => layer)).toEqual(layers);
  });

  it('has every outcome and every reason code', () => {
    expect(
      rows('Outcomes')
        .map(([word]) => word)
        .sort(),
    ).toEqual([...ALL_OUTCOME_WORDS].sort());
    expect(
      rows('Codes of a result')
        .map(([code]) => code)
        .sort(),
    ).toEqual([...REASON_CODES].sort());
  });
});

describe('docs/outcomes.md, after a crash', () => {
  const STATES: readonly KernelState[] = ['absent', 'live', 'loading', 'unloading', 'unknown'];
  const section = page.split(/^## /m).find((part) => part.startsWith('After a crash')) ?? '';
  const table = section
    .split('\n')
    .filter((line) => /^\| (unload|load|reload) /.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
    .map(([, verb = '', step = '', ...cells]) => ({ verb, step, cells: cells.slice(0, STATES.length) }));

  /** The open actions that a row of the table is about. */
  function opened(verb: string, step: string): OpenAction[] {
    const open = (lastStep: number, ...plan: ['rmmod' | 'modprobe', string][]): OpenAction => {
      const known = verbFromWord(verb);
      if (known === undefined) throw new Error(`no verb ${verb}`);
      return { intent: anIntent(aRequest({ verb: known }), anOkVerdict(...plan)), lastStep };
    };
    switch (`${verb} ${step}`) {
      case 'unload rmmod':
        return [open(0, ['rmmod', 'dummy'])];
      case 'load modprobe':
        return [0, 1].map((last) => open(last, ['modprobe', 'base'], ['modprobe', 'dummy']));
      case 'reload rmmod':
        return [open(0, ['rmmod', 'dummy'], ['modprobe', 'dummy'])];
      case 'reload modprobe after rmmod':
        return [
          open(1, ['rmmod', 'dummy'], ['modprobe', 'dummy']),
          ...[1, 2].map((last) => open(last, ['rmmod', 'dummy'], ['modprobe', 'base'], ['modprobe', 'dummy'])),
        ];
      case 'reload modprobe alone':
        return [0, 1].map((last) => open(last, ['modprobe', 'base'], ['modprobe', 'dummy']));
      default:
        throw new Error(`a row that no test knows: ${verb} ${step}`);
    }
  }

  function seenOf(changes: Partial<Aftermath>): Aftermath {
    const plain = { mayAct: true, sameBoot: true, state: 'unknown', parametersHold: undefined } as const;
    return { ...plain, holdings: [], awaited: undefined, ...changes };
  }

  function word(open: OpenAction, seen: Aftermath): string {
    const settled = settle(open, seen);
    if (settled.kind === 'finish') {
      // Never the unload half, and never a step before the one that had begun.
      expect(open.intent.verdict.plan[settled.fromStep]?.kind).toBe('modprobe');
      expect(settled.fromStep).toBeGreaterThanOrEqual(open.lastStep);
      return 'finish';
    }
    return isKnownOutcome(settled.ending.outcome) ? OUTCOME_WORDS[settled.ending.outcome] : 'no outcome';
  }

  it('has a row for every verb and kind of step that a plan can hold', () => {
    const verbs = [...new Set([...table, ...wholes].map((row) => row.verb))];
    expect(Object.values(VERB_WORDS).sort()).toEqual(verbs.sort());
    expect(Object.keys(PROOFS)).toHaveLength(3);
    expect(table).toHaveLength(5);
    expect(wholes).toHaveLength(4);
  });

  /** Of the second table, whose columns are what is seen of the whole. */
  const WHOLES = ['all', 'not_all', 'half_way', 'unknown', 'gone'] as const satisfies readonly Whole[];
  const wholes = section
    .split('\n')
    .filter((line) => /^\| (ensure_\w+|set_parameters|restore) /.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
    .map(([, verb = '', ...cells]) => ({ verb, cells: cells.slice(0, WHOLES.length) }));

  /** What is seen of a plan of two steps when the whole of it stands so. */
  const HOLDINGS = {
    all: ['yes', 'yes'],
    not_all: ['yes', 'no'],
    half_way: ['halfway', 'no'],
    unknown: ['yes', 'unknown'],
    gone: ['no', 'yes'],
  } as const satisfies Record<Whole, readonly Holding[]>;

  /** A plan of two wants, of which the first is on a kmod; of a restore it goes and comes again. */
  function openedWhole(verb: string): OpenAction {
    const known = verbFromWord(verb);
    if (known === undefined) throw new Error(`no verb ${verb}`);
    const steps: [StepKind, string][] =
      verb === 'restore'
        ? [
            ['rmmod', 'dummy'],
            ['modprobe', 'dummy'],
            ['persist', 'dummy'],
          ]
        : [
            ['modprobe', 'dummy'],
            ['persist', 'dummy'],
          ];
    return { intent: anIntent(aRequest({ verb: known }), anOkVerdict(...steps)), lastStep: 1 };
  }

  const everyWhole = wholes.flatMap(({ verb, cells }) =>
    WHOLES.map((whole, column) => ({ verb, whole, cell: cells[column] ?? 'missing' })).filter(
      ({ cell }) => cell !== '',
    ),
  );

  it.each(everyWhole)('$verb, $whole: $cell', ({ verb, whole, cell }) => {
    const open = openedWhole(verb);
    for (const sameBoot of [true, false])
      for (const mayAct of [true, false]) {
        const awaited = verb === 'restore' ? (whole === 'gone' ? 'absent' : 'live') : undefined;
        const seen = seenOf({ sameBoot, mayAct, holdings: HOLDINGS[whole], awaited });
        const lost = !sameBoot || (cell === 'finish' && !mayAct);
        expect([sameBoot, mayAct, word(open, seen)]).toEqual([sameBoot, mayAct, lost ? 'interrupted' : cell]);
      }
  });

  const everyCell = table.flatMap(({ verb, step, cells }) =>
    STATES.map((state, column) => ({ verb, step, state, cell: cells[column] ?? 'missing' })),
  );

  it.each(everyCell)('$verb, $step, $state: $cell', ({ verb, step, state, cell }) => {
    for (const open of opened(verb, step)) {
      for (const sameBoot of [true, false])
        for (const mayAct of [true, false])
          for (const parametersHold of [true, false, undefined]) {
            const otherParameters = parametersHold === false && step.startsWith('modprobe') && cell === 'succeeded';
            const lost = !sameBoot || otherParameters || (cell === 'finish' && !mayAct);
            expect([
              sameBoot,
              mayAct,
              parametersHold,
              word(open, seenOf({ sameBoot, mayAct, parametersHold, state })),
            ]).toEqual([sameBoot, mayAct, parametersHold, lost ? 'interrupted' : cell]);
          }
    }
  });
});
