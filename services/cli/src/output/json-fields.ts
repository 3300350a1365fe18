import { usageError } from '../errors/cli-error.ts';

/** `--json` as parsed: absent, bare (asks for the list of fields), or fields with commas. */
export type JsonOption = string | true | undefined;

/** The chosen fields, or undefined when the page for people is wanted. Bare `--json`, or an unknown field, lists what there is. */
export function jsonFields<F extends string>(option: JsonOption, fields: readonly F[]): readonly F[] | undefined {
  if (option === undefined) return undefined;
  const known = `fields: ${fields.join(', ')}`;
  if (option === true) throw usageError('--json needs the fields to print, with commas between them', known);
  return option.split(',').map((name) => {
    const trimmed = name.trim();
    const field = fields.find((each) => each === trimmed);
    if (field === undefined) throw usageError(`--json: there is no field ${JSON.stringify(trimmed)} here`, known);
    return field;
  });
}

/** An object with the chosen fields only, in the order asked for. A field that the server did not send is null, never left out. */
export function pick<F extends string>(value: object, fields: readonly F[]): Record<string, unknown> {
  const source = new Map<string, unknown>(Object.entries(value));
  return Object.fromEntries(fields.map((field) => [field, source.get(field) ?? null]));
}

/** JSON for a person on a terminal (indented), for a program otherwise (one line). */
export function renderJson(value: unknown, isTty: boolean): string {
  return `${isTty ? JSON.stringify(value, null, 2) : JSON.stringify(value)}\n`;
}
