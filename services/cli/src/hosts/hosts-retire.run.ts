import type { Host, RetireHostBody, RetiredHost } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import type { Context } from '../context.ts';
import { CliError, usageError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { noteFreeze } from '../output/page.ts';
import { shellWord } from '../output/words.ts';

export interface RetireOptions {
  readonly reason?: string;
  readonly yes?: boolean;
  readonly json?: JsonOption;
}

const FIELDS = ['host', 'retiredAt', 'retiredBy', 'reason', 'freeze'] as const;

/** `modfleet hosts retire HOST`: asks first; a script says --yes. */
export async function hostsRetire(context: Context, name: string, options: RetireOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  if (!options.yes && !io.input.isTty)
    throw usageError(
      'retiring cannot be undone, and there is no terminal to ask on',
      `say so: modfleet hosts retire ${shellWord(name)} --yes`,
    );
  const api = context.api();
  const asked = { host: name };
  const host = await api.get<Host>(path`/hosts/${name}`, {}, asked);
  if (!options.yes) {
    const answer = await io.input.readLine(
      `Retire ${host.name} (${host.kernelRelease}, ${host.connection})? It has to join anew to come back. [y/N] `,
      false,
    );
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('not retired', { exitCode: EXIT.negative });
  }
  const body: RetireHostBody = options.reason === undefined ? {} : { reason: options.reason };
  const retired = await api.change<RetiredHost>({ method: 'DELETE', path: path`/hosts/${host.id}`, body, asked });
  noteFreeze(retired.freeze, io);
  if (fields) io.out.write(renderJson(pick(retired, fields), io.out.isTty));
  else io.err.write(`${retired.host.name} is retired. To let it join again: modfleet join-tokens create\n`);
  return EXIT.ok;
}
