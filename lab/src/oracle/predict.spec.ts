import { describe, expect, it } from 'vitest';
import { judgeLoad, judgeUnload, prediction, type Attempt, type FindingSeen, type VerdictSeen } from './predict.ts';

const finding = (code: string, kernel = true, refuses = true): FindingSeen => ({
  code,
  kernel,
  refuses,
  message: '',
  evidence: [],
});
const verdict = (findings: readonly FindingSeen[], plan: readonly string[] = []): VerdictSeen => ({
  kmod: 'x',
  findings,
  plan,
  tries: [],
});
const attempt = (changes: Partial<Attempt>): Attempt => ({
  kmod: 'x',
  exitCode: 0,
  said: '',
  gone: [],
  came: [],
  ...changes,
});

describe('prediction', () => {
  it('is what the kernel layer says, whatever policy says', () => {
    expect(prediction(verdict([finding('protected', false)]))).toBe('ok');
    expect(prediction(verdict([finding('protected', false), finding('in_use')]))).toBe('in_use');
    expect(prediction(verdict([finding('parameters_differ', true, false)]))).toBe('ok');
    expect(prediction(verdict([finding('already', true, false)]))).toBe('already');
    expect(prediction(verdict([finding('busy', false)]))).toBe('busy');
  });

  it('is what comes first of several: the file is looked for before the kernel is asked', () => {
    expect(prediction(verdict([finding('modules_disabled'), finding('not_found')]))).toBe('not_found');
    expect(prediction(verdict([finding('modules_disabled'), finding('signature_required')]))).toBe('modules_disabled');
  });
});

describe('judgeUnload', () => {
  it('wants exactly that kmod to be gone', () => {
    expect(judgeUnload(verdict([]), attempt({ gone: ['x'] })).agrees).toBe(true);
    expect(judgeUnload(verdict([]), attempt({ gone: ['x', 'y'] })).agrees).toBe(false);
    expect(judgeUnload(verdict([finding('in_use')]), attempt({ gone: ['x'] })).agrees).toBe(false);
  });

  it.each([
    ['in_use', 'rmmod: ERROR: Module x is in use'],
    ['held_by', 'rmmod: ERROR: Module x is in use by: y'],
    ['permanent', "rmmod: ERROR: could not remove 'x': Device or resource busy"],
    ['modules_disabled', "rmmod: ERROR: could not remove 'x': Operation not permitted"],
  ])('knows the words for %s', (code, said) => {
    expect(judgeUnload(verdict([finding(code)]), attempt({ exitCode: 1, said })).agrees).toBe(true);
    expect(judgeUnload(verdict([]), attempt({ exitCode: 1, said })).agrees).toBe(false);
  });
});

describe('judgeLoad', () => {
  it('wants what the plan says to come, and no more', () => {
    expect(judgeLoad(verdict([], ['y', 'x']), attempt({ came: ['x', 'y'] })).agrees).toBe(true);
    expect(judgeLoad(verdict([], ['x']), attempt({ came: ['x', 'y'] })).agrees).toBe(false);
    expect(judgeLoad(verdict([], ['y', 'x']), attempt({ came: ['x'] })).agrees).toBe(false);
  });

  it('takes exit 0 without a change for "already", and for nothing else', () => {
    expect(judgeLoad(verdict([finding('already', true, false)]), attempt({})).agrees).toBe(true);
    expect(judgeLoad(verdict([], ['x']), attempt({})).agrees).toBe(false);
  });

  it('knows the words of a refusal', () => {
    const said = "modprobe: ERROR: could not insert 'x': Key was rejected by service";
    expect(judgeLoad(verdict([finding('signature_required')]), attempt({ exitCode: 1, said })).agrees).toBe(true);
    expect(judgeLoad(verdict([finding('lockdown')]), attempt({ exitCode: 1, said })).agrees).toBe(false);
  });

  it('tells a file that is gone from a symbol that is', () => {
    const said = "modprobe: ERROR: could not insert 'x': Unknown symbol in module, or unknown parameter (see dmesg)";
    const gone = verdict([finding('release_files_missing')]);
    expect(judgeLoad(gone, attempt({ exitCode: 1, said })).agrees).toBe(false);
    expect(judgeLoad(gone, attempt({ exitCode: 1, said: `no file: ${said}` })).agrees).toBe(true);
    expect(judgeLoad(verdict([finding('symbol_missing')]), attempt({ exitCode: 1, said })).agrees).toBe(true);
  });
});
