import { AppError } from '../errors/app-error.ts';
import type { Caller } from './caller.ts';
import { decide, type Decision } from './decision.ts';
import type { Labels } from './host-scope.ts';
import type { Permission } from './roles.ts';

/** @throws AppError forbidden, access_seal_broken. */
export function requireAllowed(decision: Decision): void {
  if (!decision.allowed) throw new AppError(decision.code, decision.why);
}

/** @param host what it is called in the error. @throws AppError forbidden, access_seal_broken. */
export function requireOnHost(
  caller: Caller,
  permission: Permission,
  host: { readonly name: string; readonly labels: Labels },
): void {
  const decision = decide(caller, permission, host.labels);
  if (!decision.allowed) throw new AppError(decision.code, decision.why.replace('over this host', `over ${host.name}`));
}
