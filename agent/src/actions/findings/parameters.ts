import { evidence, type LoadedFacts, type Question, type RawFinding } from './facts.ts';

/** name=value without white space, quotes and control characters: modprobe would make two parameters of `a=b c`. */
export const PARAMETER = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}=[^\s"'\\\p{C}]{0,512}$/u;

/** Splits a checked `name=value`. */
export function splitParameter(parameter: string): { readonly name: string; readonly value: string } {
  const equals = parameter.indexOf('=');
  return { name: parameter.slice(0, equals).replaceAll('-', '_'), value: parameter.slice(equals + 1) };
}

/** Whether a loaded kmod's parameters are other than asked for; undefined when they are the same. */
export function parameterFindings(
  { kmod, parameters }: Question,
  loaded: LoadedFacts,
  types: ReadonlyMap<string, string> | undefined,
): RawFinding | undefined {
  const differing = parameters.flatMap((parameter) => {
    const { name, value } = splitParameter(parameter);
    const present = loaded.parameters.get(name);
    if (present !== undefined)
      return sameValue(value, present, types?.get(name)) ? [] : [`${name} is ${present}, asked for ${value}`];
    return [loaded.hiddenParameters.includes(name) ? `${name} cannot be read` : `${name} is not shown by the kernel`];
  });
  if (differing.length === 0) return undefined;
  return {
    code: 'parameters_differ',
    refuses: true,
    message: `${kmod} is loaded with other parameters: ${differing.join('; ')}; a load changes nothing, a reload would`,
    evidence: differing.map((one) => evidence('path', `/sys/module/${kmod}/parameters: ${one}`)),
  };
}

/** Whether what was asked for is what sysfs shows: the kernel writes booleans as Y and N, and numbers in decimal. */
export function sameValue(asked: string, present: string, type: string | undefined): boolean {
  if (asked === present) return true;
  if (type === undefined || /^(inv)?bool/.test(type)) {
    const [a, b] = [asBoolean(asked), asBoolean(present)];
    if (a !== undefined && a === b) return type !== undefined || /^[YN]$/.test(present);
  }
  if (type === 'charp' || type === 'string') return false;
  const [a, b] = [asNumbers(asked), asNumbers(present)];
  return a !== undefined && b !== undefined && a.length === b.length && a.every((number, index) => number === b[index]);
}

/** As kstrtobool. An empty value of a bool parameter means yes (kernel/params.c: param_set_bool). */
function asBoolean(text: string): boolean | undefined {
  if (/^(y|t|1|on)/i.test(text) || text === '') return true;
  return /^(n|f|0|of)/i.test(text) ? false : undefined;
}

/** As kstrtol with base 0: decimal, 0x hexadecimal, 0 octal; arrays by comma. */
function asNumbers(text: string): bigint[] | undefined {
  const parts = text.split(',').map(asNumber);
  return parts.every((part) => part !== undefined) ? parts : undefined;
}

/** As kstrtol with base 0; undefined when it is no number. */
export function asNumber(text: string): bigint | undefined {
  const [, sign, digits] = /^([+-]?)(0x[0-9a-f]+|\d+)$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const octal = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits;
  if (/^0\d+$/.test(digits) && octal === digits) return undefined;
  return sign === '-' ? -BigInt(octal) : BigInt(octal);
}
