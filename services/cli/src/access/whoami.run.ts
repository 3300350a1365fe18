import type { Me } from '@modfleet/server/api-types';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { noteFreeze, renderFields } from '../output/page.ts';
import { clock } from '../output/time.ts';

const FIELDS = ['account', 'credential', 'address', 'grants', 'brokenGrants', 'may', 'freeze'] as const;

/** `modfleet whoami`. */
export async function whoami(context: Context, options: { readonly json?: JsonOption }): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const me = await context.api().get<Me>('/me', {});
  noteFreeze(me.freeze, io);
  if (fields) {
    io.out.write(renderJson(pick(me, fields), io.out.isTty));
    return EXIT.ok;
  }
  const { credential } = me;
  const until =
    credential.expiresAt === null ? 'until revoked' : `until ${clock(credential.expiresAt, io.now(), io.timeZone)}`;
  io.out.write(
    renderFields([
      ['account', `${me.account.name} (${me.account.kind})`],
      ['by', `${credential.kind} ${credential.id}, ${until}`],
      ['only', credential.routes?.join(', ')],
      ['from', me.address],
      ...me.grants.map((grant): [string, string] => [
        'grant',
        `${grant.role} over ${grant.selector ?? 'the whole fleet'}`,
      ]),
      ...me.may.map(({ what, over }): [string, string] => [
        'may',
        `${what} over ${over === 'fleet' ? 'the whole fleet' : over.join(' or ')}`,
      ]),
    ]),
  );
  if (me.grants.length === 0) io.err.write('It has no grant: an admin gives one with "modfleet grants add".\n');
  if (me.brokenGrants > 0)
    io.err.write(`Mind: ${me.brokenGrants} of its grants were changed outside the server and give nothing.\n`);
  return EXIT.ok;
}
