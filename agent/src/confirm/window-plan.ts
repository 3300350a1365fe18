import * as z from 'zod';
import { CONFIRM_CAUSES } from '@modfleet/proto';
import { hostSnapshotSchema } from './snapshot/host-snapshot.ts';

/** Format of the files below `confirm/`. A newer agent reads all older ones. */
const FORMAT = 1;

/** A process that cannot be mistaken for a later one with the same number. */
const processMark = z.object({
  pid: z.number().int().positive(),
  /** Field 22 of /proc/PID/stat: clock ticks since boot at its start. */
  startTicks: z.string(),
});
export type ProcessMark = z.output<typeof processMark>;

const serverAddress = z.object({ host: z.string(), port: z.number().int() });
/** Of one of its listeners. */
export type ServerAddress = z.output<typeof serverAddress>;

/** Everything a revert needs to know, on disk and synced before the first step. */
export const windowPlanSchema = z.object({
  format: z.literal(FORMAT),
  actionId: z.string().min(1),
  kmod: z.string(),
  /** /proc/sys/kernel/random/boot_id; the boot times below mean something in this boot only. */
  bootId: z.string(),
  windowSeconds: z.number().int().positive(),
  /** Boot time, ms: from here on the host reverts. */
  deadlineBootMs: z.number(),
  /** The same moment in server time, ms since the epoch. */
  deadlineServerMs: z.number(),
  /** Who runs the step and asks for the confirm. */
  agent: processMark,
  /** The host's policy: reboot when the server is not reached after a second window. */
  rebootToRecover: z.boolean(),
  /** Where the server is asked whether it is reached. */
  server: serverAddress,
  snapshot: hostSnapshotSchema,
});
export type WindowPlan = z.output<typeof windowPlanSchema>;

/** Who ended a window. */
export const ENDED_BY = ['agent', 'timer', 'boot'] as const;
export type EndedBy = (typeof ENDED_BY)[number];

/** How a revert went. */
export const revertReportSchema = z.object({
  format: z.literal(FORMAT),
  actionId: z.string().min(1),
  cause: z.enum(CONFIRM_CAUSES),
  by: z.enum(ENDED_BY),
  restored: z.array(z.string()),
  missing: z.array(z.string()),
  rebootedToRecover: z.boolean(),
  /** Not the last word: the server is waited for, and the host may yet be rebooted to recover (plan.rebootToRecover). */
  waitsForServer: z.boolean().default(false),
});
export type RevertReport = z.output<typeof revertReportSchema>;

export const WINDOW_FORMAT = FORMAT;
