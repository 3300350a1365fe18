import type { Host, HostFacet } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import type { Moment } from '../command-line/moment.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { Io } from '../io.ts';
import { clean } from '../output/clean.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { noteFreeze, renderFields, renderNext } from '../output/page.ts';
import { colorsFor } from '../output/style.ts';
import { renderTable, type Column } from '../output/table.ts';
import { ago, clock } from '../output/time.ts';
import { wrap } from '../output/width.ts';
import { hostWord } from '../output/words.ts';
import { HOST_FIELDS, labelText } from './hosts-list.run.ts';

export interface HostShowOptions {
  readonly at?: Moment;
  readonly json?: JsonOption;
}

const FIELDS = [
  ...HOST_FIELDS,
  'facts',
  'policy',
  'facets',
  'counts',
  'modulesDisabled',
  'lockdown',
  'sigEnforce',
  'secureBoot',
  'unreadable',
  'journalDamage',
  'ca',
  'revokeReason',
  'certificate',
  'machines',
  'enrolledAt',
  'address',
  'bootId',
  'asOf',
  'freeze',
] as const;

/** `modfleet hosts show HOST`. */
export async function hostShow(context: Context, name: string, options: HostShowOptions): Promise<ExitCode> {
  const { at, json } = options;
  if (at !== undefined) return (await import('./host-past.run.ts')).hostPast(context, name, { at, json });
  const { io } = context;
  const fields = jsonFields(json, FIELDS);
  const host = await context.api().get<Host>(path`/hosts/${name}`, {}, { host: name });
  noteFreeze(host.freeze, io);
  io.out.write(fields ? renderJson(pick(host, fields), io.out.isTty) : renderHost(host, io));
  return EXIT.ok;
}

function silence(since: string | null): string {
  return since === null ? 'silent: it joined and was never heard of since' : `silent since ${since}`;
}

function renderHost(host: Host, io: Io): string {
  const colors = colorsFor(io, io.out);
  const now = io.now();
  const when = (iso: string | null) => (iso === null ? null : clock(iso, now, io.timeZone));
  // A retired host goes by its id only: its name may be another's by now.
  const name = host.retiredAt === null ? hostWord(host) : host.id;
  const connection = host.connected
    ? colors.green('connected')
    : colors.yellow(host.connection === 'silent' ? silence(when(host.lastSeenAt)) : host.connection);
  return [
    `${colors.bold(clean(host.name))}  ${connection}\n`,
    '\n',
    renderFields([
      ['id', host.id],
      ['labels', labelText(host)],
      ['mode', host.mode === 'act' ? 'act: actions are taken' : `${host.mode}: reports only, actions are refused`],
      ['kernel', `${host.kernelRelease} ${host.architecture}`],
      ['system', host.facts.osPrettyName || host.os],
      ['virtualization', host.facts.virtualization],
      ['agent', host.agentVersion],
      ['address', host.address],
      ['joined', when(host.enrolledAt)],
      ['retired', when(host.retiredAt)],
      ['revoked', revokedText(host, when)],
      ['quarantined', host.quarantineReason],
      ['certificate', certificateText(host, when)],
      ['journal', journalText(host, when)],
      ['CA trust', caText(host)],
      ['kmods', counts(host)],
      ['unloading', host.modulesDisabled ? 'impossible until reboot: kernel.modules_disabled=1' : null],
      ['lockdown', host.lockdown],
      ['signatures', host.sigEnforce === null ? null : host.sigEnforce ? 'enforced' : 'not enforced'],
      ['secure boot', host.secureBoot === null ? null : host.secureBoot ? 'on' : 'off'],
      ['allow', host.policy.allow.join(', ')],
      ['deny', host.policy.deny.join(', ')],
      ['protected', host.policy.protected.join(', ')],
    ]),
    '\nWhat it reports:\n',
    renderTable(facetColumns(), host.facets, io.out.columns, colors, '  '),
    ...lines(
      'Not reported:',
      host.facets.flatMap((facet) => (facet.reason === null ? [] : [`${facet.facet}: ${facet.reason}`])),
      io.out.columns,
    ),
    ...lines('Not readable there:', host.unreadable, io.out.columns),
    ...machinesTable(host, when, io, colors),
    renderNext([
      ...(host.connection === 'quarantined'
        ? [['once one machine alone has its identity', `modfleet hosts release ${name}`] as const]
        : []),
      ['its kmods', `modfleet kmods list --host ${name}`],
      ['what came and went', `modfleet hosts events ${name}`],
      ['what it had loaded yesterday', `modfleet hosts show ${name} --at 24h`],
      ['its actions', `modfleet actions list --host ${name}`],
    ]),
  ].join('');
}

type When = (iso: string | null) => string | null;

function revokedText({ revokedAt, revokeReason }: Host, when: When): string | null {
  return revokedAt === null ? null : `${when(revokedAt)}: ${revokeReason ?? ''}; its machine has to join anew`;
}

function certificateText({ certificate }: Host, when: When): string | null {
  return certificate.notAfter === null ? null : `number ${certificate.number}, until ${when(certificate.notAfter)}`;
}

/** Who was seen with the identity of a host in quarantine. */
function machinesTable({ machines }: Host, when: When, io: Io, colors: ReturnType<typeof colorsFor>): string[] {
  if (machines.length === 0) return [];
  const columns: Column<Host['machines'][number]>[] = [
    { head: 'ADDRESS', cell: (row) => row.address },
    { head: 'BOOT', cell: (row) => row.bootId, shrink: 1 },
    { head: 'FIRST SEEN', cell: (row) => when(row.firstSeen) ?? '' },
    { head: 'LAST SEEN', cell: (row) => when(row.lastSeen) ?? '' },
    { head: 'CERTIFICATE', cell: (row) => String(row.certificate) },
  ];
  return ['\nMachines seen with its identity:\n', renderTable(columns, machines, io.out.columns, colors, '  ')];
}

function facetColumns(): Column<HostFacet>[] {
  return [
    { head: 'FACET', cell: (row) => row.facet },
    {
      head: 'COVERAGE',
      cell: (row) => row.coverage,
      color: (colors, row) => (row.coverage === 'fresh' ? colors.green : colors.yellow),
    },
    { head: 'OBSERVED', cell: (row) => ago(row.ageMs) },
  ];
}

const JOURNAL_DAMAGES: Readonly<Record<NonNullable<Host['journalDamage']>['kind'], string>> = {
  seal: 'its last line was damaged; nothing is lost',
  record: 'a record was cut short; its action is not begun again',
  unreadable: 'its end was lost; an action that is sent again, and is not known there, is not begun',
  damaged: 'damaged in the middle; no action is begun until somebody has looked',
};

function journalText({ journalDamage }: Host, when: (iso: string) => string | null): string | null {
  if (journalDamage === null) return null;
  const { kind, since } = journalDamage;
  return `${JOURNAL_DAMAGES[kind]} (known since ${when(since)})`;
}

function caText({ caTrust, ca }: Host): string | null {
  if (caTrust === 'unknown') return null;
  const short = (id: string) => id.slice(0, 16);
  const by = ca.certificateBy === null ? 'a CA that it does not trust' : short(ca.certificateBy);
  const words = `trusts ${ca.trusts.map(short).join(' and ')}, certificate by ${by}`;
  return caTrust === 'current' ? words : `behind the server's: ${words}`;
}

/** A head and one line each below it; nothing when there is none. */
function lines(head: string, texts: readonly string[], width: number | undefined): string[] {
  if (texts.length === 0) return [];
  const wrapped = texts.flatMap((text) => wrap(`  ${clean(text)}`, width, '    '));
  return [`\n${head}\n`, ...wrapped.map((line) => `${line}\n`)];
}

function counts(host: Host): string {
  const said = (n: number | null, word: string) => (n === null ? `${word} unknown` : `${n} ${word}`);
  return [
    said(host.counts.loaded, 'loaded'),
    said(host.counts.builtin, 'built in'),
    said(host.counts.onDisk, 'on disk'),
  ].join(', ');
}
