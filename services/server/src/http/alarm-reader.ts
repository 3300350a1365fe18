import type { z } from 'zod';
import type { alarmSchema } from './common.schema.ts';

/** Injection token of {@link AlarmReader}. */
export const ALARM_READER = Symbol('ALARM_READER');

/** Says what needs a person before commands go on; every answer shows it while it holds. Bound by the command-stop feature. */
export interface AlarmReader {
  /** At most half a second old; null for none. */
  current(): Promise<z.output<typeof alarmSchema> | null>;
}
