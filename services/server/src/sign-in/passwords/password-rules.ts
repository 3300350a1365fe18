/*
 * What a password may be. NIST SP 800-63B-4 section 3.1.1.2: length counts, prescribed mixtures of characters do not, common and context-specific
 * passwords are refused. A list of leaked ones has hundreds of megabytes; with twelve characters at least, a few rules refuse what such lists begin with.
 */

/** Characters. With the login limits, a guess at 40 bits has no chance; a chosen password of twelve that passes the rules below has more. */
export const MIN_CHARACTERS = 12;
/** Bytes. So that nobody has the server hash megabytes. */
export const MAX_BYTES = 1024;

/** Fewer, and it is a pattern. */
const MIN_DIFFERENT = 5;
/** What must be left of a password when the words that everybody tries, and the digits and signs around them, are taken away. */
const MIN_OWN_CHARACTERS = 4;

/** Words of the most used passwords in public collections; longer ones first, so that "password" goes before "pass". */
const COMMON_WORDS = [
  'changeme',
  'football',
  'baseball',
  'princess',
  'sunshine',
  'superman',
  'iloveyou',
  'trustno',
  'starwars',
  'password',
  'passw0rd',
  'p@ssword',
  'p@ssw0rd',
  'passwort',
  'kennwort',
  'geheim',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwertz',
  'qwerty',
  'azerty',
  'letmein',
  'welcome',
  'willkommen',
  'whatever',
  'administrator',
  'default',
  'company',
  'secret',
  'monkey',
  'dragon',
  'master',
  'shadow',
  'summer',
  'winter',
  'spring',
  'autumn',
  'hello',
  'login',
  'admin',
  'root',
  'test',
  'user',
  'pass',
  'abc',
  'modfleet',
  'kernel',
  'linux',
  'debian',
];

const DIGITS_AND_SIGNS = /[\x20-\x40[-`{-~]/g;

const RUNS = ['abcdefghijklmnopqrstuvwxyz', '01234567890', 'qwertyuiop', 'asdfghjkl', 'zxcvbnm', 'qwertzuiop'];

/**
 * @param account name of the account whose password it is to be.
 * @returns why it is not taken, as the end of a sentence that begins "the password"; undefined when it is.
 */
export function passwordProblem(password: string, account: string): string | undefined {
  const text = password.normalize('NFC');
  const characters = [...text];
  if (characters.length < MIN_CHARACTERS) return `has ${characters.length} characters, and needs ${MIN_CHARACTERS}`;
  if (Buffer.byteLength(text) > MAX_BYTES) return `is longer than ${MAX_BYTES} bytes`;
  if (/\p{Cc}/u.test(text)) return 'has control characters in it';
  const folded = text.toLowerCase();
  if (new Set(folded).size < MIN_DIFFERENT) return `has fewer than ${MIN_DIFFERENT} different characters`;
  if (isRepeated(folded)) return 'is one short piece, repeated';
  const name = account.toLowerCase();
  const words = [...(name.length >= 3 ? [name] : []), ...COMMON_WORDS];
  const left = words.reduce((text, word) => text.replaceAll(word, ' '), withoutRuns(folded));
  if (/^[\x20-\x40]+$/.test(folded)) {
    if (new Set(left.replaceAll(/\D/g, '')).size < MIN_DIFFERENT) return 'is a row of digits that everybody tries';
  } else if ([...left.replaceAll(DIGITS_AND_SIGNS, '')].length < MIN_OWN_CHARACTERS)
    return 'is made of words that everybody tries, or of the name of the account';
  return undefined;
}

/** "abcabcabcabc" */
function isRepeated(text: string): boolean {
  for (let size = 1; size <= 4; size += 1) {
    const piece = text.slice(0, size);
    if (piece.repeat(Math.ceil(text.length / size)).slice(0, text.length) === text) return true;
  }
  return false;
}

/** Without pieces of four or more that follow the alphabet, the digits or a row of keys, forwards or backwards. */
function withoutRuns(text: string): string {
  let left = text;
  for (const run of RUNS.flatMap((each) => [each, [...each].toReversed().join('')]))
    for (let size = run.length; size >= 4; size -= 1)
      for (let at = 0; at + size <= run.length; at += 1) left = left.replaceAll(run.slice(at, at + size), ' ');
  return left;
}
