import type { RuntimeParameter } from '../../kmod/runtime-parameters.ts';
import { type ActionFacts, evidence, type Question, type RawFinding } from './facts.ts';
import { invalidValues } from './parameter-values.ts';
import { PARAMETER, sameValue, splitParameter } from './parameters.ts';

/**
 * What stands against writing parameters at run time. All of it before anything is written: half of a set that belongs together may be worse than
 * none. A value that cannot be read back is not written, as nobody could see whether it took; nor one in whose place the present one could not be
 * written again. Pure.
 */
export function setParameterFindings(question: Question, facts: ActionFacts): RawFinding[] {
  const { kmod, parameters } = question;
  const { loaded, tree, kernel, runtimeParameters } = facts;
  if (loaded === undefined && !tree.builtin) return [absent(kmod, facts)];
  if (loaded !== undefined && loaded.state !== 'live') {
    const shown = [evidence('path', `/proc/modules: state ${loaded.state}`)];
    return [{ code: 'busy', refuses: true, message: `${kmod} is ${loaded.state}`, evidence: shown }];
  }
  const types = tree.file?.parameters;
  const findings = [
    ...parameters.flatMap((parameter) => complaint(kmod, parameter, runtimeParameters)),
    ...invalidValues(question, types, tree.file?.path ?? `/lib/modules/${kernel.release}`),
  ];
  if (findings.length > 0 || settable(question, facts).length > 0) return findings;
  const message = `${parameters.join(' ')}: ${kmod} has these values already`;
  return [{ code: 'already', refuses: false, message, evidence: [evidence('path', folderOf(kmod))] }];
}

/** Those that have another value now, in the given order: what is written. Pure. */
export function settable({ parameters }: Question, { runtimeParameters, tree }: ActionFacts): string[] {
  return parameters.filter((parameter) => {
    const { name, value } = splitParameter(parameter);
    const present = runtimeParameters.get(name)?.value;
    return present === undefined || !sameValue(value, present, tree.file?.parameters?.get(name));
  });
}

function complaint(kmod: string, parameter: string, there: ReadonlyMap<string, RuntimeParameter>): RawFinding[] {
  const { name, value } = splitParameter(parameter);
  const found = there.get(name);
  const path = `${folderOf(kmod)}/${name}`;
  if (found === undefined) {
    const has = there.size === 0 ? 'it shows none' : `it shows ${[...there.keys()].sort().join(', ')}`;
    return [refusal('not_found', `${kmod} shows no parameter ${name} at run time (${has})`, path)];
  }
  if (!found.writable)
    return [
      refusal('parameter_not_writable', `${name} of ${kmod} cannot be written at run time: it is set at load`, path),
    ];
  if (found.value === undefined)
    return [
      refusal('parameter_not_writable', `${name} of ${kmod} cannot be read, so nobody could see whether it took`, path),
    ];
  if (value === '') return [refusal('parameter_invalid', `an empty value cannot be written at run time`, path)];
  if (!isWritableValue(name, found.value)) {
    const message = `the present value of ${name} of ${kmod}, ${JSON.stringify(found.value)}, could not be written again, so it is not replaced`;
    return [refusal('parameter_not_writable', message, path)];
  }
  return [];
}

/** Whether a value that sysfs shows can be given again: a null string reads "(null)", and was never given. Pure. */
export function isWritableValue(name: string, value: string): boolean {
  return value !== '' && value !== '(null)' && PARAMETER.test(`${name}=${value}`);
}

function absent(kmod: string, { tree, kernel }: ActionFacts): RawFinding {
  if (tree.missing !== undefined) {
    const message = `${tree.missing}: whether ${kmod} is built in cannot be told, and it is not loaded`;
    return { code: 'release_files_missing', refuses: true, message, evidence: [evidence('path', tree.missing)] };
  }
  const where =
    tree.file === undefined ? `there is no kmod ${kmod} for kernel ${kernel.release}` : `${kmod} is not loaded`;
  return refusal('not_found', `${where}: it has no parameters to set`, '/proc/modules');
}

function folderOf(kmod: string): string {
  return `/sys/module/${kmod}/parameters`;
}

function refusal(code: RawFinding['code'], message: string, path: string): RawFinding {
  return { code, refuses: true, message, evidence: [evidence('path', path)] };
}
