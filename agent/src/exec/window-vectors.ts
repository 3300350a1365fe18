import { asProperties, REVERT_RESTARTS, REVERT_RIGHTS } from './unit-rights.ts';
import type { Argument, VectorShape } from './vectors.ts';

/** A name, a number, or addresses as `ip` takes them; 16 targets of a bond are the longest. No leading dash: nothing of a snapshot becomes a flag. */
const WORD = /^[A-Za-z0-9_.:/@%+][A-Za-z0-9_.:/@%+,-]{0,639}$/;

const ABSOLUTE = /^\/[^\0]{0,4095}$/;

/** A transient unit of a revert: the beginning of the action's id. */
const REVERT_TIMER_UNIT = /^--unit=modfleet-revert-[0-9a-zA-Z]{1,8}$/;

/** The same, with the process that begins it and how many it has begun. */
const REVERT_NOW_UNIT = /^--unit=modfleet-revert-[0-9a-zA-Z]{1,8}-now-\d{1,7}-\d{1,4}$/;

/** The action whose window is meant: a UUID, but for its exact form. */
const ACTION_ID = /^[0-9a-zA-Z][0-9a-zA-Z-]{0,63}$/;

const words = (effect: VectorShape['effect'], ...args: readonly Argument[]): VectorShape => ({
  args,
  rest: { form: WORD, least: 0, most: 96 },
  effect,
});

/** What a confirm window's snapshot and revert start `ip` with. */
export const IP_VECTORS: readonly VectorShape[] = [
  { args: ['-d', '-j', 'addr', 'show'], effect: 'reads' },
  { args: ['-j', 'rule', 'show'], effect: 'reads' },
  { args: ['-6', '-j', 'rule', 'show'], effect: 'reads' },
  // Without a family, routes are those of both. Which of their metrics are locked, JSON leaves out.
  ...['-4', '-6'].flatMap((family) =>
    ['-j', '-o'].map((form): VectorShape => ({
      args: [family, form, 'route', 'show', 'table', 'all'],
      effect: 'reads',
    })),
  ),
  words('changes', 'link', 'set', 'dev', WORD),
  words('changes', 'link', 'add'),
  { args: ['link', 'del', 'dev', WORD], effect: 'changes' },
  words('changes', 'addr', 'replace', WORD, 'dev', WORD),
  ...[[], ['-6']].flatMap((flags): VectorShape[] => [
    words('changes', ...flags, 'route', 'replace'),
    words('changes', ...flags, 'route', 'append'),
    words('changes', ...flags, 'rule', 'add'),
  ]),
];

/** This program as `revert`, in a transient unit: Node.js and its entry, or the single executable. */
const PROGRAMS: readonly (readonly Argument[])[] = [[ABSOLUTE], [ABSOLUTE, ABSOLUTE]];

/** A timer at the deadline, and a revert now. */
export const REVERT_UNIT_VECTORS: readonly VectorShape[] = PROGRAMS.flatMap((program): VectorShape[] => [
  {
    args: [
      '--quiet',
      '--collect',
      REVERT_TIMER_UNIT,
      '--setenv=NODE_COMPILE_CACHE=/var/cache/modfleet-helper',
      '--description=modfleet: end of a confirm window',
      /^--on-active=\d{1,3}s$/,
      '--timer-property=AccuracySec=100ms',
      ...asProperties(REVERT_RESTARTS),
      ...asProperties(REVERT_RIGHTS),
      '--',
      ...program,
      'revert',
      '--state-dir',
      ABSOLUTE,
      '--action',
      ACTION_ID,
      '--by',
      'timer',
    ],
    effect: 'changes',
  },
  {
    args: [
      '--quiet',
      '--collect',
      REVERT_NOW_UNIT,
      '--setenv=NODE_COMPILE_CACHE=/var/cache/modfleet-helper',
      '--description=modfleet: a confirm window is given up',
      ...asProperties(REVERT_RESTARTS),
      ...asProperties(REVERT_RIGHTS),
      '--',
      ...program,
      'revert',
      '--state-dir',
      ABSOLUTE,
      '--action',
      ACTION_ID,
      '--by',
      'agent',
      '--cause',
      /^[a-z_]{1,32}$/,
    ],
    effect: 'changes',
  },
]);

/** Disarms a timer; reboots to recover. */
export const SYSTEMCTL_VECTORS: readonly VectorShape[] = [
  { args: ['stop', /^modfleet-revert-[0-9a-zA-Z]{1,8}\.timer$/], effect: 'changes' },
  { args: ['start', '--no-block', '--job-mode=replace-irreversibly', 'reboot.target'], effect: 'changes' },
];
