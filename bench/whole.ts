import { ScriptError } from '../scripts/lib/program.ts';

/** The whole number that an option was given. @throws ScriptError */
export function whole(option: string, text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new ScriptError(`${option} is a whole number, not "${text}".`);
  return Number(text);
}
