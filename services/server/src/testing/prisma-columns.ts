import { readFileSync } from 'node:fs';

/** Postgres types of Prisma's scalars as this schema writes them. */
const TYPES: Readonly<Record<string, string>> = {
  String: 'text',
  'String @db.Uuid': 'uuid',
  Int: 'int4',
  'Int @db.SmallInt': 'int2',
  BigInt: 'int8',
  Boolean: 'bool',
  Bytes: 'bytea',
  Json: 'jsonb',
  'DateTime @db.Timestamptz(6)': 'timestamptz',
};

/** Every column of every model of schema.prisma as `table.column type`, with `null` behind it where it may be; sorted. */
export function prismaColumns(): string[] {
  const schema = readFileSync(new URL('../../prisma/schema.prisma', import.meta.url), 'utf8');
  return [...schema.matchAll(/^model \w+ \{\n(.*?)^\}/gms)].flatMap(([, body = '']) => columnsOf(body)).sort();
}

function columnsOf(model: string): string[] {
  const table = /@@map\("(\w+)"\)/.exec(model)?.[1] ?? '';
  return model.split('\n').flatMap((line) => {
    const [, field = '', scalar = '', list, optional] = /^ {2}(\w+)\s+(\w+)(\[\])?(\?)?/.exec(line) ?? [];
    if (field === '') return [];
    const native = /@db\.\w+(?:\(\d+\))?/.exec(line)?.[0];
    const type = TYPES[native === undefined ? scalar : `${scalar} ${native}`] ?? `no type for ${line.trim()}`;
    const column = /@map\("(\w+)"\)/.exec(line)?.[1] ?? field;
    return [`${table}.${column} ${list === undefined ? '' : '_'}${type}${optional === undefined ? '' : ' null'}`];
  });
}
