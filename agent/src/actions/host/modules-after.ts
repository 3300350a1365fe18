import { KmodState, Verb } from '@modfleet/proto';
import type { ProcModule } from '../../kmod/proc-modules.ts';
import type { Question } from '../findings/facts.ts';

/**
 * The list of kmods as it will be when what comes before in the same action is done: a dependency is held by what the step before it takes away, and a
 * load needs again what was unloaded before it. Pure.
 */
export function modulesAfter(modules: readonly ProcModule[], earlier: readonly Question[]): readonly ProcModule[] {
  return earlier.reduce(after, modules);
}

function after(modules: readonly ProcModule[], { verb, kmod }: Question): readonly ProcModule[] {
  switch (verb) {
    case Verb.VERB_UNLOAD:
      return modules.filter((one) => one.name !== kmod).map((one) => withoutUser(one, kmod));
    case Verb.VERB_LOAD:
      return modules.some((one) => one.name === kmod) ? modules : [loaded(kmod), ...modules];
    default:
      return modules;
  }
}

/** A kmod holds one reference of each that it uses (kernel/module/main.c: ref_module). */
function withoutUser(module: ProcModule, user: string): ProcModule {
  if (!module.users.includes(user)) return module;
  const refcount = module.refcount === undefined ? undefined : module.refcount - 1;
  return { ...module, refcount, users: module.users.filter((one) => one !== user) };
}

function loaded(name: string): ProcModule {
  return { name, size: 0, refcount: 0, users: [], permanent: false, state: KmodState.KMOD_STATE_LIVE, taint: '' };
}
