import { evidence, type Question, type RawFinding } from './facts.ts';
import { asNumber, splitParameter } from './parameters.ts';

/** Smallest and largest value of each number type (kernel/params.c: STANDARD_PARAM_DEF), on a 64-bit kernel. */
const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  byte: [0n, 255n],
  short: [-32_768n, 32_767n],
  ushort: [0n, 65_535n],
  int: [-2_147_483_648n, 2_147_483_647n],
  uint: [0n, 4_294_967_295n],
  hexint: [0n, 4_294_967_295n],
  long: [-(2n ** 63n), 2n ** 63n - 1n],
  ulong: [0n, 2n ** 64n - 1n],
  ullong: [0n, 2n ** 64n - 1n],
};

/** The kernel does not load a kmod with a value that its parameter does not take (EINVAL, ERANGE). Types that we do not know may take anything. */
export function invalidValues(
  { kmod, parameters }: Question,
  types: ReadonlyMap<string, string> | undefined,
  path: string,
): RawFinding[] {
  return parameters.flatMap((parameter): RawFinding[] => {
    const { name, value } = splitParameter(parameter);
    const type = types?.get(name) ?? '';
    const wrong = whyInvalid(value, type);
    if (wrong === undefined) return [];
    return [
      {
        code: 'parameter_invalid',
        refuses: true,
        message: `${kmod} does not take ${JSON.stringify(value)} for ${name}, which is ${type}: ${wrong}`,
        evidence: [evidence('path', path)],
      },
    ];
  });
}

/** Why a value does not fit a type; undefined when it may. */
export function whyInvalid(value: string, type: string): string | undefined {
  const element = /^array of (.+)$/.exec(type)?.[1];
  if (element !== undefined)
    return value
      .split(',')
      .map((one) => whyInvalid(one, element))
      .find((why) => why !== undefined);
  if (type === 'bool' || type === 'invbool')
    // kstrtobool (lib/kstrtox.c) looks at the first letter, and at the second of "on" and "off".
    return value === '' || /^(?:[yYtT1nNfF0]|[oO][nNfF])/.test(value) ? undefined : 'it is neither yes nor no (EINVAL)';
  const range = RANGES[type];
  if (range === undefined) return undefined;
  const number = asNumber(value);
  if (number === undefined || (range[0] === 0n && value.startsWith('-'))) return 'it is no such number (EINVAL)';
  return number < range[0] || number > range[1] ? `it is not within ${range[0]} and ${range[1]} (ERANGE)` : undefined;
}
