import type { Host, ReleasedHost, ReleaseHostBody } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { noteFreeze } from '../output/page.ts';
import { confirmedHost } from './confirmed-host.ts';

export interface ReleaseOptions {
  readonly reason?: string;
  readonly yes?: boolean;
  readonly json?: JsonOption;
}

const FIELDS = ['host', 'quarantineReason', 'machines', 'releasedBy', 'reason', 'freeze'] as const;

/** `modfleet hosts release HOST`: asks first; a script says --yes. */
export async function hostsRelease(context: Context, name: string, options: ReleaseOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const host = await confirmedHost(context, name, {
    options,
    why: 'a released host acts again',
    verb: 'release',
    question: (its) =>
      `Release ${its.name}${seen(its)}? One machine alone must have its identity: have you seen to that?`,
    refused: 'not released',
  });
  const body: ReleaseHostBody = options.reason === undefined ? {} : { reason: options.reason };
  const released = await context.api().change<ReleasedHost>({
    method: 'POST',
    path: path`/hosts/${host.id}/quarantine/release`,
    body,
    asked: { host: name },
  });
  noteFreeze(released.freeze, io);
  if (fields) io.out.write(renderJson(pick(released, fields), io.out.isTty));
  else
    io.err.write(
      `${released.host.name} is out of quarantine. If two machines still go by its identity, it comes back.\n`,
    );
  return EXIT.ok;
}

function seen({ machines }: Host): string {
  const addresses = [...new Set(machines.map(({ address }) => address))];
  return addresses.length === 0 ? '' : ` (seen from ${addresses.join(', ')})`;
}
