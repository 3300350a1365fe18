/**
 * A step of the rotation between its decision and the disk: STATE_DIR/ca/step.json.
 *
 * INVARIANTS
 * - Written before the transaction that records the step; the row in the audit log is what decides whether the step is taken. With its row it is finished,
 *   without it is given up, by whoever comes next: the same process, the next `modfleet-server ca …`, the server's start.
 * - Read and acted on under the lock of the rotation alone; opening the store only spares the key that it names.
 */
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readIfThere, replaceFile } from '../keys/key-files.ts';
import { CaStoreError } from './ca-certificate.ts';
import { caSetSchema, ownKeyFile } from './ca-set.ts';

const STEP_FILE = 'step.json';

const stepSchema = z.strictObject({
  format: z.literal(1),
  /** In the details of the step's row in the audit log. */
  id: z.uuid(),
  step: z.enum(['begin', 'issue', 'finish', 'back', 'forget']),
  /** SHA-256 of the set.json that it was decided on, hex. */
  from: z.string().regex(/^[0-9a-f]{64}$/),
  set: caSetSchema,
  /** Key files that go with it, once it is on the disk. */
  erase: z.array(ownKeyFile),
  /** Key files that came with it: to be removed when it is not taken. */
  made: z.array(ownKeyFile),
});

export type CaStepFile = z.output<typeof stepSchema>;

/** @throws CaStoreError when it is damaged. */
export function readStep(folder: string): CaStepFile | undefined {
  const path = join(folder, STEP_FILE);
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  try {
    return stepSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CaStoreError(
      `${path} is damaged or from a newer server: see in "modfleet audit list" (ca.rotate) whether its step was taken, remove the file, and run "modfleet-server ca show"`,
      { cause },
    );
  }
}

export function writeStep(folder: string, step: CaStepFile): void {
  replaceFile(join(folder, STEP_FILE), `${JSON.stringify(step, null, 2)}\n`, 0o600);
}

export function removeStep(folder: string): void {
  rmSync(join(folder, STEP_FILE), { force: true });
}

/** What a step says of the set that it was decided on. */
export function setDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
