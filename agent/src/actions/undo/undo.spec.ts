import type { PlanStep, UndoStep } from '@modfleet/proto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostRecord, KmodRecord } from './host-record.ts';
import { undoOf } from './undo.ts';

const health = { bootId: 'b', taint: 0, links: [], mounts: [] };
const kmod = (name: string, changes: Partial<KmodRecord> = {}): KmodRecord => ({
  name,
  loaded: true,
  parameters: [],
  writable: [],
  persisted: false,
  ...changes,
});
const gone = (name: string): KmodRecord => kmod(name, { loaded: false });
const record = (...kmods: KmodRecord[]): HostRecord => ({ bootId: 'b', kmods, health });
const step = (kind: string, name: string, ...parameters: string[]): PlanStep => ({
  kind,
  kmod: name,
  parameters,
  because: '',
});
const words = (undo: readonly UndoStep[]): string[] =>
  undo.map((one) => [one.kind, one.kmod, ...one.parameters].join(' '));

describe('the undo', () => {
  it('of a load unloads it and what it brought, newest first', () => {
    const plan = [step('modprobe', 'base'), step('modprobe', 'dummy')];
    const undo = undoOf(plan, record(gone('base'), gone('dummy')), record(kmod('base'), kmod('dummy')));
    expect(words(undo)).toEqual(['unload dummy', 'unload base']);
  });

  it('of an unload loads it with the values that it showed, without those that nobody can give', () => {
    const parameters: [string, string][] = [
      ['a', '1'],
      ['b', '(null)'],
      ['c', 'x y'],
      ['d', ''],
    ];
    const plan = [step('rmmod', 'dummy'), step('rmmod', 'base')];
    const before = record(kmod('base'), kmod('dummy', { parameters }));
    expect(words(undoOf(plan, before, record(gone('base'), gone('dummy'))))).toEqual(['load base', 'load dummy a=1']);
  });

  it('of a file is the file, before unloads and after loads', () => {
    const plan = [step('modprobe', 'dummy'), step('persist', 'dummy')];
    const there = record(kmod('dummy', { persisted: true }));
    expect(words(undoOf(plan, record(gone('dummy')), there))).toEqual(['unpersist dummy', 'unload dummy']);
    expect(words(undoOf(plan, there, record(gone('dummy'))))).toEqual(['load dummy', 'persist dummy']);
    expect(words(undoOf(plan, record(kmod('dummy')), there))).toEqual(['unpersist dummy']);
  });

  describe('of values', () => {
    const was = kmod('dummy', {
      parameters: [
        ['a', '1'],
        ['b', '1'],
      ],
      writable: ['a', 'b'],
    });
    const is = kmod('dummy', {
      parameters: [
        ['a', '2'],
        ['b', '2'],
      ],
      writable: ['a', 'b'],
    });

    it('writes those that this plan has set, and no others', () => {
      const plan = [step('set_parameters', 'dummy', 'a=2')];
      expect(words(undoOf(plan, record(was), record(is)))).toEqual(['set_parameters dummy a=1']);
    });

    it('of built-in code, too', () => {
      const plan = [step('set_parameters', 'dummy', 'a=2')];
      const [before, now] = [record({ ...was, loaded: false }), record({ ...is, loaded: false })];
      expect(words(undoOf(plan, before, now))).toEqual(['set_parameters dummy a=1']);
    });

    it('loads it anew with the former ones where they cannot be written', () => {
      const plan = [step('rmmod', 'dummy'), step('modprobe', 'dummy', 'a=2')];
      expect(words(undoOf(plan, record(was), record({ ...is, writable: ['a'] })))).toEqual([
        'unload dummy',
        'load dummy a=1 b=1',
      ]);
      expect(words(undoOf(plan, record(was), record(is)))).toEqual(['set_parameters dummy a=1 b=1']);
      expect(undoOf(plan, record(was), record(was))).toEqual([]);
    });
  });

  it('in another boot is of files only', () => {
    const plan = [step('modprobe', 'dummy'), step('persist', 'dummy')];
    const now = { ...record(kmod('dummy', { persisted: true })), bootId: 'c' };
    expect(words(undoOf(plan, record(gone('dummy')), now))).toEqual(['unpersist dummy']);
  });

  it('done on what is there leads back to what was there, whatever happened', () => {
    const names = ['a', 'b', 'c'];
    const anyRecord = fc
      .tuple(
        ...names.map(() =>
          fc.record({ loaded: fc.boolean(), persisted: fc.boolean(), value: fc.constantFrom('1', '2') }),
        ),
      )
      .map((all) =>
        record(
          ...all.map(({ loaded, persisted, value }, index) => {
            const parameters: [string, string][] = loaded ? [['p', value]] : [];
            return kmod(names[index] ?? '', { loaded, persisted, parameters });
          }),
        ),
      );
    const plan = names.flatMap((name) => [step('rmmod', name), step('modprobe', name)]);
    fc.assert(
      fc.property(anyRecord, anyRecord, (before, now) => {
        const state = new Map(now.kmods.map((one) => [one.name, { ...one }]));
        for (const { kind, kmod: name, parameters } of undoOf(plan, before, now)) {
          const one = state.get(name);
          if (one === undefined) throw new Error(name);
          // Every step has something to do.
          if (kind === 'load' || kind === 'unload') expect(one.loaded).toBe(kind === 'unload');
          if (kind === 'persist' || kind === 'unpersist') expect(one.persisted).toBe(kind === 'unpersist');
          const given = parameters.map((parameter): [string, string] => {
            const [key = '', value = ''] = parameter.split('=');
            return [key, value];
          });
          if (kind === 'load') state.set(name, { ...one, loaded: true, parameters: given });
          if (kind === 'unload') state.set(name, { ...one, loaded: false, parameters: [] });
          if (kind === 'persist' || kind === 'unpersist') state.set(name, { ...one, persisted: kind === 'persist' });
        }
        expect([...state.values()]).toEqual(before.kmods);
      }),
    );
  });
});
