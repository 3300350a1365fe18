import type { z } from 'zod';
import type { freezeSchema } from './common.schema.ts';

/** Injection token of {@link FreezeReader}. */
export const FREEZE_READER = Symbol('FREEZE_READER');

/** Says whether the fleet is frozen; every answer shows it. Bound by the freeze feature. */
export interface FreezeReader {
  /** At most half a second old. */
  current(): Promise<z.output<typeof freezeSchema>>;
}
