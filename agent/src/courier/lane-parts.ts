import type { ActionRequest, ActionResult, ConfirmWanted } from '@modfleet/proto';
import type { ActionProgressReport } from '../actions/action-engine.ts';
import type { ActionLog } from '../actions/action-host.ts';
import type { HelperKind } from '../helper/wire/protocol.ts';
import type { CourierWord } from '../helper/wire/strict-codec.ts';
import type { OpenLink } from './helper-link.ts';

/** Timer functions, for tests. */
export interface Timers {
  set(work: () => void, ms: number): unknown;
  clear(timer: unknown): void;
}

/** What a lane of helpers works with, and whom it tells. */
export interface LaneParts {
  readonly kind: HelperKind;
  readonly openLink: OpenLink;
  /** First frame, and what keeps a long connection up to date. */
  readonly open: () => Extract<CourierWord, { $case: 'open' }>['value'];
  readonly log: ActionLog;
  readonly timers: Timers;
  readonly onProgress: (report: ActionProgressReport) => void;
  readonly onResult: (result: ActionResult) => void;
  readonly onStep: (actionId: string, kmod: string, begins: boolean) => void;
  readonly onConfirmWanted: (wanted: ConfirmWanted, answer: (word: CourierWord) => void) => void;
  /** The request was not taken, for certain: nothing of it was written, nothing touched. */
  readonly onNotTaken: (request: ActionRequest, why: NotTaken) => void;
  readonly onCancelRefused: (actionId: string) => void;
}

/** Why a request was not taken. */
export interface NotTaken {
  /** `unsupported`: this host cannot; `busy`: it was too slow, another time may do. Otherwise the helper's own. */
  readonly code: string;
  readonly message: string;
  /** The helper has looked for the request in its journal. */
  readonly looked: boolean;
}
