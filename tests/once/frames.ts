import type { ActionPhase, ActionRequest, ActionResult } from '@modfleet/proto';

/** What travels about actions and time; each as the contract has it. */
export type ToAgent =
  | { readonly kind: 'request'; readonly request: ActionRequest }
  | { readonly kind: 'cancel'; readonly actionId: string }
  | { readonly kind: 'ack'; readonly actionIds: readonly string[] }
  | { readonly kind: 'time'; readonly serverTimeMs: number; readonly boottimeMs: number };

export type ToServer =
  | { readonly kind: 'progress'; readonly actionId: string; readonly phase: ActionPhase }
  | { readonly kind: 'result'; readonly result: ActionResult }
  | { readonly kind: 'beat'; readonly boottimeMs: number };

/** A frame under way. */
export type Frame =
  | { readonly to: 'agent'; readonly connection: number; readonly frame: ToAgent }
  | { readonly to: 'server'; readonly connection: number; readonly frame: ToServer };
