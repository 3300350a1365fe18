import { Verb } from '@modfleet/proto';
import { type ActionFacts, evidence, type LoadedFacts, type Question, type RawFinding } from './facts.ts';
import { unfitFiles, unreadFiles } from './file-findings.ts';
import { invalidValues } from './parameter-values.ts';
import { parameterFindings, splitParameter } from './parameters.ts';
import { persistenceFindings } from './persistence-findings.ts';
import { setParameterFindings } from './set-parameter-findings.ts';

const MODULES = '/proc/modules';

/** What init_module(2) or delete_module(2) would say, before they are asked. Pure. */
export function kernelFindings(question: Question, facts: ActionFacts): RawFinding[] {
  if (facts.kernel.noModules !== undefined) {
    return [refusal('no_module_support', facts.kernel.noModules, [evidence('path', MODULES)])];
  }
  switch (question.verb) {
    case Verb.VERB_LOAD:
      return [...switches(facts), ...loadFindings(question, facts)];
    case Verb.VERB_UNLOAD:
      return [...switches(facts), ...unloadFindings(question, facts)];
    case Verb.VERB_RELOAD:
      return [...switches(facts), ...reloadFindings(question, facts)];
    case Verb.VERB_SET_PARAMETERS:
      return setParameterFindings(question, facts);
    case 'persist':
    case 'unpersist':
      return persistenceFindings(question, facts);
  }
}

/** Every kernel with loadable kmods has this switch. */
function switches({ kernel }: ActionFacts): RawFinding[] {
  if (kernel.modulesDisabled === false) return [];
  const message =
    kernel.modulesDisabled === true
      ? 'kernel.modules_disabled is 1: nothing loads or unloads on this host before a reboot (EPERM)'
      : 'kernel.modules_disabled cannot be read: whether anything loads or unloads on this host cannot be told';
  return [refusal('modules_disabled', message, [evidence('path', '/proc/sys/kernel/modules_disabled')])];
}

function unloadFindings({ kmod }: Question, facts: ActionFacts): RawFinding[] {
  const { loaded, tree } = facts;
  if (loaded !== undefined) return removalFindings(kmod, loaded, facts);
  if (tree.builtin) return [builtin(kmod, 'it cannot be unloaded')];
  if (tree.missing !== undefined) return [treeMissing(kmod, tree.missing)];
  if (tree.file === undefined) return [notFound(kmod, facts)];
  return [note('already', `${kmod} is not loaded`, [evidence('path', MODULES)])];
}

function reloadFindings(question: Question, facts: ActionFacts): RawFinding[] {
  const { kmod } = question;
  const { loaded, tree } = facts;
  if (loaded === undefined)
    return tree.builtin ? [builtin(kmod, 'it cannot be reloaded')] : loadFindings(question, facts);
  return [
    ...removalFindings(kmod, loaded, facts),
    ...lostParameters(question, loaded),
    ...loadAgainFindings(question, facts),
  ];
}

/** Whether the files of what is loaded now would load again: a plain load may fail and loses nothing, this one may not. */
export function loadAgainFindings(question: Question, facts: ActionFacts): RawFinding[] {
  const { kmod } = question;
  const { tree, kernel } = facts;
  if (tree.missing === undefined && tree.file === undefined) {
    const message = `${kmod} is loaded, but there is no file of it for kernel ${kernel.release}`;
    return [
      refusal('release_files_missing', message, [evidence('path', `/lib/modules/${kernel.release}/modules.dep`)]),
    ];
  }
  const files = [...(tree.file === undefined ? [] : [tree.file]), ...tree.dependencies];
  return [...fileFindings(question, facts), ...unreadFiles(files)];
}

/** A reload begins anew: values set by hand since the load are gone, and it is not for us to guess which were. */
function lostParameters({ kmod, parameters }: Question, loaded: LoadedFacts): RawFinding[] {
  const given = new Set(parameters.map((parameter) => splitParameter(parameter).name));
  const present = [...loaded.parameters].filter(([name]) => !given.has(name));
  if (present.length === 0) return [];
  const shown = present.map(([name, value]) => evidence('path', `/sys/module/${kmod}/parameters/${name}: ${value}`));
  return [
    note(
      'parameters_differ',
      `${kmod} loads with what modprobe.d and this action say; its present values are not kept`,
      shown,
    ),
  ];
}

/** Why a loaded kmod does not go. All that hold, not only the first: a person needs the whole list. */
function removalFindings(kmod: string, loaded: LoadedFacts, facts: ActionFacts): RawFinding[] {
  const findings: RawFinding[] = [];
  const line = evidence('path', `${MODULES}: refcount ${loaded.refcount ?? '-'}, state ${loaded.state}`);
  if (!facts.kernel.canUnload) {
    findings.push(
      refusal('unload_unsupported', 'this kernel is built without support for unloading (CONFIG_MODULE_UNLOAD)', [
        line,
      ]),
    );
  }
  if (loaded.state !== 'live') {
    findings.push(
      refusal(
        'busy',
        `${kmod} is ${loaded.state}: its ${loaded.state === 'loading' ? 'init' : 'exit'} routine has not returned`,
        [line],
      ),
    );
  }
  if (loaded.users.length > 0) {
    findings.push(
      refusal('held_by', `${kmod} is used by ${loaded.users.join(', ')}`, [
        line,
        ...loaded.users.map((user) => evidence('kmod', user)),
      ]),
    );
  } else if ((loaded.refcount ?? 0) > 0) {
    findings.push(
      refusal('in_use', `${kmod} is in use (reference count ${loaded.refcount})`, [
        line,
        ...facts.users,
        ...unseen(facts),
      ]),
    );
  }
  if (loaded.permanent) {
    findings.push(
      refusal('permanent', `${kmod} has no exit routine: only a reboot removes it`, [
        evidence('path', `${MODULES}: [permanent]`),
      ]),
    );
  }
  return findings;
}

function loadFindings(question: Question, facts: ActionFacts): RawFinding[] {
  const { kmod, parameters } = question;
  const { loaded, tree } = facts;
  if (loaded !== undefined) return presentFindings(question, loaded, facts);
  if (tree.builtin) {
    return parameters.length === 0
      ? [
          note('already', `${kmod} is built into the running kernel: it is always there`, [
            evidence('path', builtinList(facts)),
          ]),
        ]
      : [builtin(kmod, 'its parameters can only be set on the kernel command line')];
  }
  return fileFindings(question, facts);
}

/** A load of what is loaded. */
function presentFindings(question: Question, loaded: LoadedFacts, facts: ActionFacts): RawFinding[] {
  const { kmod } = question;
  if (loaded.state !== 'live') {
    return [refusal('busy', `${kmod} is ${loaded.state}`, [evidence('path', `${MODULES}: state ${loaded.state}`)])];
  }
  const unknown = unknownParameters(question, facts.tree.file?.parameters, facts.tree.file?.path ?? '');
  if (unknown.length > 0) return unknown;
  const differing = parameterFindings(question, loaded, facts.tree.file?.parameters);
  if (differing !== undefined) return [differing];
  return [
    note('already', `${kmod} is loaded${question.parameters.length === 0 ? '' : ' with these parameters'}`, [
      evidence('path', MODULES),
    ]),
  ];
}

/** Whether its file, and those that it needs, would load. */
function fileFindings(question: Question, facts: ActionFacts): RawFinding[] {
  const { kmod } = question;
  const { tree, kernel } = facts;
  if (tree.missing !== undefined) return [treeMissing(kmod, tree.missing)];
  if (tree.file === undefined) return [notFound(kmod, facts)];
  const files = [tree.file, ...tree.dependencies];
  const gone = files.filter((file) => !file.present);
  const findings: RawFinding[] = [];
  if (gone.length > 0) {
    findings.push(
      refusal(
        'release_files_missing',
        `depmod's index names ${gone.map((file) => file.name).join(', ')}, but the file is not there; run depmod or reinstall the kernel's package`,
        gone.map((file) => evidence('path', file.path)),
      ),
    );
  }
  const locked = kernel.lockdown !== undefined && kernel.lockdown !== 'none';
  const unsigned = files.filter((file) => file.signed === false);
  if (unsigned.length > 0 && (kernel.sigEnforce === true || locked)) {
    const names = unsigned.map((file) => file.name).join(', ');
    const paths = unsigned.map((file) => evidence('path', file.path));
    findings.push(
      kernel.sigEnforce === true
        ? refusal(
            'signature_required',
            `${names} is not signed, and this kernel loads only signed kmods (EKEYREJECTED)`,
            [...paths, evidence('path', '/sys/module/module/parameters/sig_enforce: Y')],
          )
        : refusal('lockdown', `${names} is not signed, and the kernel is locked down to ${kernel.lockdown} (EPERM)`, [
            ...paths,
            evidence('path', '/sys/kernel/security/lockdown'),
          ]),
    );
  }
  return [
    ...findings,
    ...unfitFiles(files, kernel.release),
    ...unknownParameters(question, tree.file.parameters, tree.file.path),
    ...invalidValues(question, tree.file.parameters, tree.file.path),
  ];
}

/** Names that every kmod takes (kernel/params.c, kernel/module/main.c: unknown_module_param_cb). */
const GENERIC_PARAMETERS = new Set(['dyndbg', 'async_probe']);

/** modprobe and the kernel ignore an unknown parameter in silence: nobody would know that it did not count. */
function unknownParameters(
  { kmod, parameters, recorded }: Question,
  known: ReadonlyMap<string, string> | undefined,
  path: string,
): RawFinding[] {
  if (known === undefined || recorded === true) return [];
  const names = parameters.map((parameter) => parameter.slice(0, parameter.indexOf('=')).replaceAll('-', '_'));
  const unknown = names.filter((name) => !known.has(name) && !GENERIC_PARAMETERS.has(name));
  if (unknown.length === 0) return [];
  const has = known.size === 0 ? 'it has none' : `it has ${[...known.keys()].sort().join(', ')}`;
  return [
    refusal(
      'unsupported',
      `${kmod} has no parameter ${unknown.join(', ')} (${has}); the kernel would ignore it without a word`,
      [evidence('path', path)],
    ),
  ];
}

function builtin(kmod: string, consequence: string): RawFinding {
  return refusal('builtin', `${kmod} is built into the running kernel: ${consequence}`, [
    evidence('path', 'modules.builtin'),
  ]);
}

function builtinList({ kernel }: ActionFacts): string {
  return `/lib/modules/${kernel.release}/modules.builtin`;
}

function treeMissing(kmod: string, missing: string): RawFinding {
  return refusal('release_files_missing', `${missing}: whether ${kmod} is built in, on disk or absent cannot be told`, [
    evidence('path', missing),
  ]);
}

function notFound(kmod: string, { tree, kernel }: ActionFacts): RawFinding {
  const hint = tree.aliasOf.length === 0 ? '' : `; that is an alias of ${tree.aliasOf.join(', ')}`;
  return refusal(
    'not_found',
    `no kmod ${kmod} for kernel ${kernel.release}: not loaded, not built in, no file${hint}`,
    [
      evidence('path', `/lib/modules/${kernel.release}/modules.dep`),
      ...tree.aliasOf.map((name) => evidence('kmod', name)),
    ],
  );
}

function unseen(facts: ActionFacts) {
  return facts.unseen.map((what) => evidence('unseen', what));
}

function refusal(code: RawFinding['code'], message: string, shown: RawFinding['evidence']): RawFinding {
  return { code, refuses: true, message, evidence: shown };
}

function note(code: RawFinding['code'], message: string, shown: RawFinding['evidence']): RawFinding {
  return { code, refuses: false, message, evidence: shown };
}
