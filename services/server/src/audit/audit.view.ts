import type { KeyObject } from 'node:crypto';
import type { z } from 'zod';
import type { AuditAlarm } from './audit-alarms.ts';
import { rowName, type SealedRow } from './audit.model.ts';
import type { auditAlarmSchema, auditReportSchema, auditRowSchema } from './audit.schema.ts';
import { rowBytes, rowMac } from './row-bytes.ts';
import type { VerifyReport } from './verify.model.ts';

const HOSTS_SHOWN = 100;

/** A row as the API shows it. */
export function toAuditRow(row: SealedRow, macKey: KeyObject): z.output<typeof auditRowSchema> {
  return {
    id: rowName(row),
    at: new Date(row.atMs).toISOString(),
    who: { kind: row.actorKind, id: row.actorId, name: row.actorName },
    from: { via: row.via, address: row.address, requestId: row.requestId },
    what: row.what,
    object: row.object,
    kmod: row.kmod,
    selector: row.selector,
    targets: { count: row.targetCount, root: row.targetRoot.toString('hex'), hosts: row.hostIds.slice(0, HOSTS_SHOWN) },
    reason: row.reason,
    details: row.details,
    outcome: row.outcome,
    keyDigest: row.keyDigest?.toString('hex') ?? null,
    intact: rowMac(macKey, rowBytes(row)).equals(row.mac),
  };
}

export function toAlarm({ code, text, sinceMs }: AuditAlarm): z.output<typeof auditAlarmSchema> {
  return { code, text, since: new Date(sinceMs).toISOString() };
}

/** A report as the API shows it. @param publicKey PEM. */
export function toReport(
  report: VerifyReport,
  publicKey: string,
  alarms: readonly AuditAlarm[],
): z.output<typeof auditReportSchema> {
  const { lastSeal, exported, ...same } = report;
  return {
    ...same,
    problems: report.problems.map((problem) => ({ ...problem })),
    lastSeal: lastSeal === null ? null : { number: lastSeal.number, at: new Date(lastSeal.atMs).toISOString() },
    exported: exported === null ? null : { seals: exported.seals, last: exported.last },
    proven: report.intact ? provenBy(report) : [],
    notProven: notProvenBy(report),
    publicKey,
    alarms: alarms.map(toAlarm),
  };
}

/** What an intact report proves. */
export function provenBy(report: VerifyReport): string[] {
  const { macsChecked, sealedRows, seals, exported } = report;
  return [
    ...(macsChecked ? ['no row was changed or made by anybody without the key of the server'] : []),
    `none of the ${sealedRows} sealed rows was changed, removed, added or moved since its seal (${seals === 1 ? '1 seal' : `${seals} seals, each signed over the one before`})`,
    'no row is missing in front of another one that is there: the numbers of every lane are without gaps',
    ...(exported === null || exported.last === null
      ? []
      : [
          `the database holds every seal up to ${exported.last}, as it was exported: it was not rolled back behind that`,
        ]),
  ];
}

/** What no report of this log can prove; said each time. */
export function notProvenBy(report: VerifyReport): string[] {
  const { macsChecked, unsealedRows, exported, appendOnly } = report;
  return [
    ...(macsChecked ? [] : ['whether rows agree with their macs: that takes the key of the server']),
    ...(unsealedRows === 0
      ? []
      : [`that none of the newest rows was cut off the end: ${unsealedRows} have no seal yet`]),
    ...(exported === null
      ? ['that the database was not rolled back as a whole: there was no exported file to compare with']
      : [
          `that nothing newer than the exported file was rolled back with the database (the last second), or the file with it`,
        ]),
    ...(appendOnly.enforced ? [] : [`that the server itself could not have changed it: ${appendOnly.why}`]),
    'anything against somebody who has the key files of the server: they can make rows and seals that verify',
  ];
}
