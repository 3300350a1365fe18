/** Longest kmod name in bytes: MODULE_NAME_LEN is 56 with its NUL on 64-bit kernels (include/linux/moduleparam.h). */
export const KMOD_NAME_MAX_BYTES = 55;

const GRAMMAR = /^[A-Za-z0-9_-]+$/;

/** Why a text is no kmod name, in words for people. */
export class KmodNameError extends Error {
  readonly code = 'kmod_name_invalid';
  readonly input: string;
  constructor(input: string, reason: string) {
    super(reason);
    this.input = input;
    this.name = 'KmodNameError';
  }
}

/**
 * The canonical form of a kmod name: `-` folded to `_`, 1 to 55 bytes of `[A-Za-z0-9_]`. Both spellings are accepted, case is kept: the
 * kernel's names differ by case.
 *
 * @throws KmodNameError naming what is wrong; never for a name of a kmod that exists.
 */
export function canonicalKmodName(input: string): string {
  if (input === '') throw new KmodNameError(input, 'a kmod name is empty');
  if (input.startsWith('-'))
    throw new KmodNameError(input, `${JSON.stringify(input)} looks like an option, not a kmod name`);
  if (!GRAMMAR.test(input)) {
    const bad = [...input].find((character) => !/[A-Za-z0-9_-]/.test(character)) ?? '';
    const shown = JSON.stringify(input.slice(0, 64));
    throw new KmodNameError(
      input.slice(0, 64),
      `${shown} is no kmod name: ${nameOf(bad)} is not a letter a-z or A-Z, a digit, "_" or "-"`,
    );
  }
  if (input.length > KMOD_NAME_MAX_BYTES) {
    throw new KmodNameError(
      input.slice(0, 64),
      `a kmod name has at most ${KMOD_NAME_MAX_BYTES} characters, this one has ${input.length}`,
    );
  }
  return input.replaceAll('-', '_');
}

/** A character in quotes; one outside ASCII with its code point, because it may look like a letter of ours or like nothing. */
function nameOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const quoted = JSON.stringify(character);
  return code < 0x80 ? quoted : `${quoted} (U+${code.toString(16).toUpperCase().padStart(4, '0')})`;
}
