import fc from 'fast-check';

/** Texts that have broken other people's parsers, routers, databases, terminals and logs. */
export const HOSTILE_TEXTS: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\r\nSet-Cookie: a=b',
  '\u001b[2J\u001b[31m',
  '..',
  '../../../../etc/passwd',
  '..\\..\\windows',
  '/etc/shadow',
  "' OR '1'='1' --",
  '"; DROP TABLE host; --',
  '$(reboot)',
  '`reboot`',
  '${jndi:ldap://127.0.0.1/a}',
  '{{7*7}}',
  '<script>alert(1)</script>',
  '%s%s%s%n',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'null',
  'undefined',
  'NaN',
  'true',
  '-1',
  '0x7fffffffffffffff',
  '9223372036854775808',
  '1e400',
  '-0',
  '\u202egnp.exe',
  '\ufeffname',
  '\u0000\u0001\u0002',
  'ﬀ',
  'İ',
  'ß'.repeat(40),
  '👩‍👩‍👧‍👦',
  'e\u0301'.repeat(60),
  '*'.repeat(200),
  '('.repeat(500),
  'a,'.repeat(800),
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(5_000),
  '@kernel<',
  '@loaded=(',
  'env in (a,b',
  'a=b,'.repeat(300),
  '@kernel~'.concat('*?'.repeat(200)),
];

/** Values of a JSON document that no field of ours takes. */
const ODD_VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  -1e-308,
  Number.MAX_SAFE_INTEGER,
  2 ** 31,
  2 ** 63,
  [],
  {},
  [[[[]]]],
  [null],
  { a: { b: { c: [] } } },
  ...HOSTILE_TEXTS,
];

/** Parts of a path, sent as they stand. */
export const HOSTILE_PATH_PARTS: readonly string[] = [
  '..',
  '.',
  '%2e%2e',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '..%2f..%2f',
  'a%2fb',
  'a%5cb',
  'a\\b',
  '%00',
  'a%00b',
  '%ff%fe',
  '%c0%af',
  '%ed%a0%80',
  '%zz',
  '%',
  '%25',
  '%252e%252e',
  ';a=b',
  ':id',
  '*',
  '{host}',
  '//',
  '%0d%0aSet-Cookie:%20a=b',
  '%20',
  '%E2%80%AE',
  'x'.repeat(1_025),
  '%61'.repeat(400),
  '__proto__',
  'constructor',
];

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...HOSTILE_TEXTS) },
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
);

const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...ODD_VALUES) },
  fc.jsonValue({ maxDepth: 4 }),
  fc.array(fc.string(), { maxLength: 400 }),
  fc.dictionary(fc.string(), fc.string(), { maxKeys: 60 }),
);

/** JSON text of a document in which one place is not as it should be. */
export function nearly(value: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const change = fc.record({
    how: fc.constantFrom('replace', 'drop', 'add', 'repeat', 'wrap'),
    at: fc.nat(),
    value: oddValue,
    field: fc.oneof(hostileText, fc.constantFrom('limit', 'force', 'role', 'admin', 'id', 'hosts', 'all')),
  });
  return fc.tuple(value, change).map(([document, { how, at, value: odd, field }]) => {
    if (how === 'wrap') return JSON.stringify([document]);
    if (typeof document !== 'object' || document === null) return JSON.stringify(odd);
    const keys = Object.keys(document);
    const key = keys[at % Math.max(1, keys.length)] ?? 'host';
    const fields = { ...document } as Record<string, unknown>;
    if (how === 'replace') return JSON.stringify({ ...fields, [key]: odd });
    if (how === 'add') return JSON.stringify(Object.fromEntries([...Object.entries(fields), [field, odd]]));
    const text = JSON.stringify(fields);
    if (how === 'repeat')
      return `${text.slice(0, -1)}${keys.length === 0 ? '' : ','}${JSON.stringify(key)}:${JSON.stringify(odd)}}`;
    delete fields[key];
    return JSON.stringify(fields);
  });
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Bodies that are hardly JSON. */
export const hostileBody: fc.Arbitrary<string | Uint8Array> = fc.oneof(
  fc.constantFrom<string | Uint8Array>(
    '',
    ' ',
    'null',
    'true',
    '[]',
    '""',
    '{"a":',
    '{"a":1,}',
    "{'a':1}",
    '{"a":1}{"a":2}',
    '{"a":NaN}',
    '{"a":1e999}',
    `{"a":${'9'.repeat(4_000)}}`,
    `${'['.repeat(20_000)}`,
    `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`,
    `{"a":"${'\\u0000'.repeat(10)}"}`,
    '{"a":"\\ud800"}',
    '{"\\ud800":"\\udfff"}',
    '{"__proto__":{"role":"admin"}}',
    '{"constructor":{"prototype":{"admin":true}}}',
    '{"host":"a","host":"b"}',
    '{"h\\u006fst":"a","host":"b"}',
    `{"reason":"${'x'.repeat(1_100_000)}"}`,
    `{${Array.from({ length: 3_000 }, (_, at) => `"k${at}":${at}`).join(',')}}`,
    `{"hosts":[${Array.from({ length: 10_001 }, (_, at) => `"h${at}"`).join(',')}]}`,
    '\ufeff{"a":1}',
    bytes(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d),
    bytes(0xc0, 0xaf),
    bytes(0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0),
    bytes(0xff, 0xfe, 0x7b, 0, 0x7d, 0),
  ),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.uint8Array({ maxLength: 400 }),
  fc.jsonValue({ maxDepth: 6 }).map((value) => JSON.stringify(value)),
);
