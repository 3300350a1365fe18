import type { RevokedHost, RevokeHostBody } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { noteFreeze } from '../output/page.ts';
import { shellWord } from '../output/words.ts';
import { confirmedHost } from './confirmed-host.ts';

export interface RevokeOptions {
  readonly reason: string;
  readonly yes?: boolean;
  readonly json?: JsonOption;
}

const FIELDS = ['host', 'revokedAt', 'revokedBy', 'reason', 'freeze'] as const;

/** `modfleet hosts revoke HOST --reason TEXT`: asks first; a script says --yes. */
export async function hostsRevoke(context: Context, name: string, options: RevokeOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const host = await confirmedHost(context, name, {
    options,
    why: 'revoking cannot be undone',
    verb: 'revoke',
    question: ({ name: its, kernelRelease, connection }) =>
      `Revoke ${its} (${kernelRelease}, ${connection})? Its key is good for nothing then: the machine has to join anew.`,
    refused: 'not revoked',
  });
  const body: RevokeHostBody = { reason: options.reason };
  const revoked = await context
    .api()
    .change<RevokedHost>({ method: 'POST', path: path`/hosts/${host.id}/revoke`, body, asked: { host: name } });
  noteFreeze(revoked.freeze, io);
  if (fields) io.out.write(renderJson(pick(revoked, fields), io.out.isTty));
  else
    io.err.write(
      `${revoked.host.name} is revoked; its connection ends within 5 seconds. When it is not needed any more: modfleet hosts retire ${shellWord(revoked.host.name)}\n`,
    );
  return EXIT.ok;
}
