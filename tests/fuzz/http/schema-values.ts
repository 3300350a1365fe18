import fc from 'fast-check';
import { kindOfPath, placeholder } from './known-values.ts';
import type { OpenApi, Schema } from './openapi.ts';

/** Deeper than any schema of ours; a schema that names itself ends here. */
const DEPTH_MAX = 8;

/** Values that a schema allows, known ones among them. */
export class SchemaValues {
  readonly #schemas: OpenApi['components']['schemas'];

  constructor(document: OpenApi) {
    this.#schemas = document.components.schemas;
  }

  /** @param name of the field or parameter, which tells whether something that exists may stand there. */
  of(schema: Schema, name = '', depth = 0): fc.Arbitrary<unknown> {
    const plain = this.#plain(schema, name, depth);
    const kind = KIND_OF_NAME[name];
    const known =
      kind !== undefined && schema.type === 'string' ? fc.oneof({ weight: 3, arbitrary: knownOf(kind) }, plain) : plain;
    return schema.nullable === true ? fc.option(known, { nil: null, freq: 4 }) : known;
  }

  /** A value for a parameter in a path. */
  inPath(path: string, name: string, schema: Schema): fc.Arbitrary<unknown> {
    const before = path.slice(0, path.indexOf(`{${name}}`));
    return fc.oneof({ weight: 3, arbitrary: knownOf(KIND_OF_NAME[name] ?? kindOfPath(before)) }, this.of(schema, ''));
  }

  #plain(schema: Schema, name: string, depth: number): fc.Arbitrary<unknown> {
    if (schema.$ref !== undefined) return this.of(this.#named(schema.$ref), name, depth + 1);
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    const [first] = schema.allOf ?? [];
    if (first !== undefined) return this.of(first, name, depth + 1);
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices !== undefined) return fc.oneof(...choices.map((choice) => this.of(choice, name, depth + 1)));
    switch (schema.type) {
      case 'string':
        return strings(schema);
      case 'integer':
        return fc.integer({
          min: Math.max(schema.minimum ?? -1_000, -(2 ** 31)),
          max: Math.min(schema.maximum ?? 1_000, 2 ** 31 - 1),
        });
      case 'number':
        return fc.double({ min: schema.minimum ?? -1e6, max: schema.maximum ?? 1e6, noNaN: true });
      case 'boolean':
        return fc.boolean();
      case 'array':
        return fc.array(this.of(schema.items ?? {}, name, depth + 1), {
          minLength: schema.minItems ?? 0,
          maxLength: Math.min(schema.maxItems ?? 5, 5),
        });
      case 'object':
        return this.#objects(schema, depth);
      default:
        return fc.jsonValue({ maxDepth: 2 });
    }
  }

  #objects(schema: Schema, depth: number): fc.Arbitrary<unknown> {
    if (depth > DEPTH_MAX) return fc.constant({});
    const fields = Object.entries(schema.properties ?? {});
    const values = Object.fromEntries(fields.map(([name, field]) => [name, this.of(field, name, depth + 1)]));
    const requiredKeys = (schema.required ?? []).filter((key) => key in values);
    const named = fc.record(values, { requiredKeys });
    if (typeof schema.additionalProperties !== 'object' || fields.length > 0) return named;
    return fc.dictionary(
      fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/),
      this.of(schema.additionalProperties, '', depth + 1),
      { maxKeys: 4 },
    );
  }

  #named(ref: string): Schema {
    return this.#schemas[ref.slice(ref.lastIndexOf('/') + 1)] ?? {};
  }
}

/** Fields and parameters where something that exists may stand, and of what kind it is. */
const KIND_OF_NAME: Readonly<Record<string, string>> = {
  host: 'hosts',
  hosts: 'hosts',
  kmod: 'kmods',
  kmods: 'kmods',
  driver: 'drivers',
  selector: 'selector',
  cursor: 'cursor',
  account: 'accounts',
};

function knownOf(kind: string): fc.Arbitrary<string> {
  return fc.nat({ max: 63 }).map((at) => placeholder(kind, at));
}

function strings(schema: Schema): fc.Arbitrary<string> {
  if (schema.format === 'uuid') return fc.uuid();
  if (schema.format === 'date-time')
    return fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') })
      .map((date) => date.toISOString());
  const minLength = schema.minLength ?? 0;
  const maxLength = Math.max(minLength, Math.min(schema.maxLength ?? 40, 300));
  const words = fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, 40)) });
  if (schema.pattern === undefined)
    return fc.oneof({ weight: 4, arbitrary: words }, fc.string({ minLength, maxLength, unit: 'binary' }));
  const { pattern } = schema;
  // Patterns that fast-check cannot make texts of (look-around, classes of Unicode) are left to chance.
  try {
    return fc.stringMatching(new RegExp(pattern)).map((text) => text.slice(0, maxLength));
  } catch {
    return words;
  }
}
