import type { Host } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import type { Context } from '../context.ts';
import { CliError, usageError } from '../errors/cli-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { type JsonOption } from '../output/json-fields.ts';
import { shellWord } from '../output/words.ts';

/** A change to a host that somebody has to mean. */
export interface Doubt {
  /** What was given, to be repeated. */
  readonly options: {
    readonly reason?: string | undefined;
    readonly yes?: boolean | undefined;
    readonly json?: JsonOption;
  };
  /** "retiring cannot be undone": said where nobody can be asked. */
  readonly why: string;
  /** Verb of the command, to be repeated with --yes. */
  readonly verb: string;
  readonly question: (host: Host) => string;
  /** "not retired": said after a no. */
  readonly refused: string;
}

/** The host, once it is clear that it is meant: asks on a terminal; a script says --yes. @throws CliError */
export async function confirmedHost(context: Context, name: string, doubt: Doubt): Promise<Host> {
  const { io } = context;
  const { yes } = doubt.options;
  if (!yes && !io.input.isTty)
    throw usageError(
      `${doubt.why}, and there is no terminal to ask on`,
      `say so: modfleet hosts ${doubt.verb} ${shellWord(name)}${given(doubt.options)} --yes`,
    );
  const host = await context.api().get<Host>(path`/hosts/${name}`, {}, { host: name });
  if (!yes) {
    const answer = await io.input.readLine(`${doubt.question(host)} [y/N] `, false);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(doubt.refused, { exitCode: EXIT.negative });
  }
  return host;
}

function given({ reason, json }: Doubt['options']): string {
  const fields = typeof json === 'string' ? ` --json ${shellWord(json)}` : '';
  return `${reason === undefined ? '' : ` --reason ${shellWord(reason)}`}${fields}`;
}
