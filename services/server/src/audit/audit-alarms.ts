import { Logger } from '@nestjs/common';
import type { Metrics } from '../metrics/metrics.service.ts';

/** What can be wrong with the audit log while the server runs. Actions go on; a person has to look. */
export const AUDIT_ALARMS = [
  /** Seals cannot be written to their file. */
  'export_failing',
  /** The database has fewer or other seals than the file. */
  'rolled_back',
  /** Rows that this process wrote are not in the database any more. */
  'rows_missing',
  /** Rows wait for their seal. */
  'sealing_late',
] as const;
export type AuditAlarmCode = (typeof AUDIT_ALARMS)[number];

export interface AuditAlarm {
  readonly code: AuditAlarmCode;
  readonly text: string;
  /** ms since the epoch, by this machine's clock. */
  readonly sinceMs: number;
}

/** An alarm that lasts is logged again after this. */
const REPEAT_MS = 10 * 60_000;

/** The alarms of this process: said in the log, in the metrics, and beside every answer about the audit log. */
export class AuditAlarms {
  readonly #logger = new Logger('audit');
  readonly #open = new Map<AuditAlarmCode, AuditAlarm & { loggedMs: number }>();
  readonly #gauge;

  constructor(metrics: Metrics) {
    this.#gauge = metrics.gauge('modfleet_audit_alarm', '1 while this alarm of the audit log is on.', ['alarm']);
    for (const alarm of AUDIT_ALARMS) this.#gauge.set({ alarm }, 0);
  }

  list(): readonly AuditAlarm[] {
    return [...this.#open.values()].map(({ code, text, sinceMs }) => ({ code, text, sinceMs }));
  }

  raise(code: AuditAlarmCode, text: string, cause?: unknown): void {
    const now = Date.now();
    const open = this.#open.get(code);
    const again = open !== undefined && open.text === text && now - open.loggedMs < REPEAT_MS;
    this.#open.set(code, { code, text, sinceMs: open?.sinceMs ?? now, loggedMs: again ? open.loggedMs : now });
    this.#gauge.set({ alarm: code }, 1);
    if (!again) this.#logger.error({ message: text, alarm: code, ...(cause === undefined ? {} : { err: cause }) });
  }

  clear(code: AuditAlarmCode): void {
    if (!this.#open.delete(code)) return;
    this.#gauge.set({ alarm: code }, 0);
    this.#logger.log({ message: 'an alarm of the audit log is over', alarm: code });
  }
}
