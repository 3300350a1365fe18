import type { RetireHostBody, RetiredHost } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { noteFreeze } from '../output/page.ts';
import { confirmedHost } from './confirmed-host.ts';

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
  const host = await confirmedHost(context, name, {
    options,
    why: 'retiring cannot be undone',
    verb: 'retire',
    question: ({ name: its, kernelRelease, connection }) =>
      `Retire ${its} (${kernelRelease}, ${connection})? It has to join anew to come back.`,
    refused: 'not retired',
  });
  const body: RetireHostBody = options.reason === undefined ? {} : { reason: options.reason };
  const retired = await context
    .api()
    .change<RetiredHost>({ method: 'DELETE', path: path`/hosts/${host.id}`, body, asked: { host: name } });
  noteFreeze(retired.freeze, io);
  if (fields) io.out.write(renderJson(pick(retired, fields), io.out.isTty));
  else io.err.write(`${retired.host.name} is retired. To let it join again: modfleet join-tokens create\n`);
  return EXIT.ok;
}
