import type { VerbWord } from '@modfleet/proto';
import fc from 'fast-check';
import type { DiskFault, PowerCut } from '../../agent/src/actions/testing/simulated-disk.ts';

/** What people may ask for; a restore is made of results. */
export type AskedVerb = Exclude<VerbWord, 'restore'>;

/** What can happen in the world of the simulation. Numbers that pick (`which`) are taken modulo what there is. */
export type Operation =
  | {
      readonly op: 'create';
      readonly verb: AskedVerb;
      readonly kmod: string;
      readonly dryRun: boolean;
      readonly lifeMs: number;
    }
  | { readonly op: 'cancel'; readonly which: number }
  | { readonly op: 'freeze'; readonly frozen: boolean }
  /** A request with an id of ours and another content reaches the host. */
  | { readonly op: 'forge'; readonly which: number }
  | { readonly op: 'connect' }
  | { readonly op: 'disconnect' }
  | { readonly op: 'deliver'; readonly which: number }
  | { readonly op: 'drop'; readonly which: number }
  | { readonly op: 'repeat'; readonly which: number }
  | { readonly op: 'deliver_all' }
  | { readonly op: 'time'; readonly ms: number }
  /** Postgres's wall clock is set. */
  | { readonly op: 'server_clock'; readonly hours: number }
  /** The host's wall clock is set. */
  | { readonly op: 'host_clock'; readonly hours: number }
  | { readonly op: 'sleep' }
  | { readonly op: 'wake' }
  | { readonly op: 'program_ends'; readonly how: 'done' | 'rejected' | 'stuck' }
  | { readonly op: 'slow'; readonly yes: boolean }
  | { readonly op: 'disk'; readonly fault: DiskFault }
  | { readonly op: 'kill_agent' | 'kill_server'; readonly points: number }
  | { readonly op: 'slow_agent' | 'slow_server'; readonly points: number }
  | { readonly op: 'release' }
  | { readonly op: 'reboot'; readonly how: PowerCut; readonly share: number };

const points = fc.nat({ max: 30 });
const which = fc.nat({ max: 20 });
const one = <const T extends string, R extends object>(op: T, more: { [K in keyof R]: fc.Arbitrary<R[K]> }) =>
  fc.record({ op: fc.constant(op), ...more }) as unknown as fc.Arbitrary<{ op: T } & R>;

/** One operation, likelier the more ordinary it is. `steps`: wall clocks are set as well. */
export function anyOperation(steps: boolean): fc.Arbitrary<Operation> {
  const clocks = steps ? 1 : 0;
  return fc.oneof(
    {
      weight: 10,
      arbitrary: one<'create', { verb: AskedVerb; kmod: string; dryRun: boolean; lifeMs: number }>('create', {
        verb: fc.constantFrom('load', 'unload', 'reload', 'ensure_loaded', 'ensure_unloaded', 'set_parameters'),
        kmod: fc.constantFrom('x', 'y'),
        dryRun: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
        lifeMs: fc.constantFrom(2_000, 30_000, 300_000, 3_600_000, 86_400_000),
      }),
    },
    { weight: 2, arbitrary: one<'cancel', { which: number }>('cancel', { which }) },
    { weight: 2, arbitrary: one<'freeze', { frozen: boolean }>('freeze', { frozen: fc.boolean() }) },
    { weight: 1, arbitrary: one<'forge', { which: number }>('forge', { which }) },
    { weight: 6, arbitrary: fc.constant({ op: 'connect' as const }) },
    { weight: 2, arbitrary: fc.constant({ op: 'disconnect' as const }) },
    { weight: 12, arbitrary: one<'deliver', { which: number }>('deliver', { which }) },
    { weight: 2, arbitrary: one<'drop', { which: number }>('drop', { which }) },
    { weight: 3, arbitrary: one<'repeat', { which: number }>('repeat', { which }) },
    { weight: 10, arbitrary: fc.constant({ op: 'deliver_all' as const }) },
    {
      weight: 5,
      arbitrary: one<'time', { ms: number }>('time', {
        ms: fc.constantFrom(10, 1_000, 5_000, 20_000, 61_000, 290_000, 400_000, 4_000_000),
      }),
    },
    {
      weight: clocks,
      arbitrary: one<'server_clock', { hours: number }>('server_clock', { hours: fc.constantFrom(-24, 24, -1, 1) }),
    },
    { weight: 1, arbitrary: one<'host_clock', { hours: number }>('host_clock', { hours: fc.constantFrom(-24, 24) }) },
    { weight: 1, arbitrary: fc.constant({ op: 'sleep' as const }) },
    { weight: 2, arbitrary: fc.constant({ op: 'wake' as const }) },
    {
      weight: 7,
      arbitrary: one<'program_ends', { how: 'done' | 'rejected' | 'stuck' }>('program_ends', {
        how: fc.constantFrom('done', 'done', 'rejected', 'stuck'),
      }),
    },
    { weight: 4, arbitrary: one<'slow', { yes: boolean }>('slow', { yes: fc.boolean() }) },
    {
      weight: 2,
      arbitrary: one<'disk', { fault: DiskFault }>('disk', {
        fault: fc.constantFrom('none', 'none', 'full', 'no_inodes', 'read_only'),
      }),
    },
    { weight: 4, arbitrary: one<'kill_agent', { points: number }>('kill_agent', { points }) },
    { weight: 3, arbitrary: one<'kill_server', { points: number }>('kill_server', { points }) },
    { weight: 2, arbitrary: one<'slow_agent', { points: number }>('slow_agent', { points }) },
    { weight: 2, arbitrary: one<'slow_server', { points: number }>('slow_server', { points }) },
    { weight: 4, arbitrary: fc.constant({ op: 'release' as const }) },
    {
      weight: 1,
      arbitrary: one<'reboot', { how: PowerCut; share: number }>('reboot', {
        how: fc.constantFrom('lost', 'kept', 'torn', 'zeroed'),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
  );
}
