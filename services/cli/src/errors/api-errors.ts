import type { ErrorCode, ErrorExitCodes, Problem } from '@modfleet/server/api-types';
import { shellWord } from '../output/words.ts';
import { CliError } from './cli-error.ts';
import { fieldWords, inWords } from './field-words.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** The way out for callers of HTTP, at the end of a server's sentence or in brackets; people get commands instead. */
const HTTP_ADVICE = /; (?:GET|POST|PATCH|DELETE) \/api\/v1[^;]*$| \((?:GET|POST|PATCH|DELETE) \/api\/v1[^)]*\)/g;

/** The server said no, with a problem document (RFC 9457). */
export class ApiError extends CliError {
  readonly problem: Problem;
  constructor(problem: Problem, hints: readonly string[], details: readonly string[] = []) {
    const id = problem.status >= 500 ? ` (request ${problem.requestId})` : '';
    const detail = inWords(
      problem.detail.replaceAll(HTTP_ADVICE, ''),
      problem.errors?.map((error) => error.path) ?? [],
    );
    super(`${detail}${id}`, { exitCode: exitOf(problem), hints, details });
    this.name = 'ApiError';
    this.problem = problem;
  }
}

/** What was asked for, as far as errors need it. */
export interface Asked {
  /** The selector that was sent. */
  readonly selector?: string | undefined;
  /** The host as typed. */
  readonly host?: string | undefined;
  /** The kmod or driver as typed. */
  readonly kmod?: string | undefined;
  /** The command to which the name of a kmod belongs; `kmods hosts` when nothing is said. */
  readonly kmodCommand?: string | undefined;
  /** Id of the rollout plan. */
  readonly plan?: string | undefined;
  /** Id of the rollout. */
  readonly rollout?: string | undefined;
  /** How to sign in again. */
  readonly again?: string | undefined;
}

/** The error of a problem document, with what to do next. */
export function apiError(problem: Problem, asked: Asked): ApiError {
  const details =
    problem.offset === undefined || asked.selector === undefined ? [] : pointAt(asked.selector, problem.offset);
  const fields = problem.errors?.filter((error) => error.path !== '' && !problem.detail.includes(error.message)) ?? [];
  return new ApiError(problem, hintsFor(problem, asked), [
    ...details,
    ...fields.map((error) => `  ${fieldWords(error.path)}: ${error.message}`),
  ]);
}

/** The selector with a caret below the character at which it is wrong. Offset in UTF-16 units, from 0; the end counts as a place. */
export function pointAt(selector: string, offset: number): string[] {
  const at = Math.min(Math.max(0, offset), selector.length);
  return [`  ${selector}`, `  ${' '.repeat(at)}^`];
}

/** Checked against the server's table by the compiler: a wrong figure here does not build. A code that is missing goes by its HTTP status. */
const EXIT_BY_CODE = {
  unauthenticated: 4,
  token_expired: 4,
  token_revoked: 4,
  login_failed: 4,
  session_ended: 4,
  password_change_required: 4,
  password_refused: 2,
  cross_site: 4,
  oidc_not_set_up: 3,
  oidc_refused: 4,
  oidc_unavailable: 5,
  session_not_found: 3,
  forbidden: 4,
  account_disabled: 4,
  access_seal_broken: 4,
  join_token_seal_broken: 4,
  not_found: 3,
  host_not_found: 3,
  kmod_unknown: 3,
  history_not_kept: 3,
  actor_unknown: 3,
  driver_unknown: 3,
  action_not_found: 3,
  plan_not_found: 3,
  plan_not_ready: 6,
  plan_expired: 6,
  plan_too_large: 2,
  plan_empty: 6,
  rollout_not_found: 3,
  rollout_conflict: 6,
  rollout_state: 6,
  rollout_changed: 6,
  approval_own: 4,
  join_token_not_found: 3,
  account_not_found: 3,
  password_not_found: 3,
  identity_not_found: 3,
  grant_not_found: 3,
  token_not_found: 3,
  account_exists: 6,
  last_admin: 6,
  host_ambiguous: 6,
  host_retired: 6,
  host_quarantined: 6,
  host_revoked: 6,
  host_not_quarantined: 6,
  idempotency_in_flight: 6,
  idempotency_mismatch: 6,
  frozen: 6,
  database_behind: 6,
  kmod_name_invalid: 2,
  selector_invalid: 2,
  limit_invalid: 2,
  cursor_invalid: 2,
  query_invalid: 2,
  body_invalid: 2,
  body_too_large: 2,
  database_unavailable: 5,
  audit_unavailable: 5,
  overloaded: 5,
  rate_limited: 5,
  internal: 5,
} as const satisfies Partial<ErrorExitCodes>;

export function exitOf(problem: Pick<Problem, 'code' | 'status'>): ExitCode {
  const known: Readonly<Record<string, ExitCode>> = EXIT_BY_CODE;
  return known[problem.code] ?? exitOfStatus(problem.status);
}

function exitOfStatus(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.auth;
  if (status === 404) return EXIT.notFound;
  if (status === 409 || status === 422 || status === 423) return EXIT.conflict;
  if (status === 408 || status === 504) return EXIT.timeout;
  return status >= 500 || status === 429 ? EXIT.unreachable : EXIT.usage;
}

type Hint = (problem: Problem, asked: Asked) => string[];

const LOGIN: Hint = (_problem, { again }) => [`run: ${again ?? 'modfleet login'}`];
const TRY_AGAIN: Hint = (problem) => [
  problem.retryAfterSeconds === undefined ? 'try again' : `try again in ${problem.retryAfterSeconds} s`,
];
const SELECTORS: Hint = () => ['how selectors are written: modfleet help selectors'];

const HINTS: Partial<Record<ErrorCode, Hint>> = {
  unauthenticated: LOGIN,
  token_expired: LOGIN,
  token_revoked: LOGIN,
  session_ended: LOGIN,
  session_not_found: () => ['see which there are: modfleet sessions list'],
  identity_not_found: () => ['see which there are: modfleet accounts list'],
  oidc_unavailable: TRY_AGAIN,
  oidc_refused: () => ['begin again: modfleet login --oidc'],
  oidc_not_set_up: () => ['sign in with a password: modfleet login --user NAME'],
  host_not_found: (_problem, { host }) => [
    host === undefined
      ? 'see which there are: modfleet hosts list'
      : `look for it: modfleet hosts list --name ${shellWord(`*${globSafe(host)}*`)}`,
  ],
  host_ambiguous: (problem) => [
    'use the id of the one you mean',
    ...(problem.candidates ?? []).map((id) => `  modfleet hosts show ${shellWord(id)}`),
  ],
  host_retired: (problem) => [
    ...(problem.candidates ?? []).slice(0, 1).map((id) => `what was known of it: modfleet hosts show ${shellWord(id)}`),
    'a machine that comes back joins anew: modfleet join-tokens create',
  ],
  host_quarantined: (_problem, { host }) => [
    `see why: modfleet hosts show ${shellWord(host ?? 'HOST')}`,
    `once one machine alone has its identity: modfleet hosts release ${shellWord(host ?? 'HOST')}`,
  ],
  host_revoked: (_problem, { host }) => [
    `see why: modfleet hosts show ${shellWord(host ?? 'HOST')}`,
    'its machine joins anew: modfleet join-tokens create',
  ],
  actor_unknown: (problem) => near(problem, 'audit list --who'),
  kmod_unknown: (problem, { kmod, kmodCommand = 'kmods hosts' }) => [
    ...near(problem, kmodCommand),
    `look for it: modfleet kmods list --presence any --name ${shellWord(`*${globSafe(kmod ?? '')}*`)}`,
  ],
  driver_unknown: (problem, { kmod }) => [
    ...near(problem, 'drivers hosts'),
    `a kmod of that name: modfleet kmods hosts ${shellWord(kmod ?? 'NAME')}`,
  ],
  action_not_found: () => ['see the latest: modfleet actions list'],
  plan_not_found: () => ['see which there are: modfleet rollouts list-plans'],
  plan_not_ready: (_problem, { plan }) => [`how far it is: modfleet rollouts show-plan ${plan ?? 'PLAN'}`],
  plan_expired: () => ['ask the hosts anew: modfleet rollouts plan VERB NAME -l SELECTOR'],
  plan_too_large: () => ['take fewer hosts at a time: -l SELECTOR'],
  plan_empty: (_problem, { plan, rollout, selector }) => [
    rollout !== undefined
      ? `how each host ended: modfleet rollouts show ${rollout} --targets`
      : plan !== undefined
        ? `what each host said: modfleet rollouts show-plan ${plan} --targets`
        : `see which match: modfleet hosts list${selector === undefined ? '' : ` -l ${shellWord(selector)}`}`,
  ],
  rollout_not_found: () => ['see which there are: modfleet rollouts list'],
  rollout_conflict: (problem) => [
    ...(problem.candidates ?? []).slice(0, 3).map((id) => `look at it: modfleet rollouts show ${shellWord(id)}`),
    'those that are under way: modfleet rollouts list --state running',
  ],
  rollout_state: (_problem, { rollout }) => [`how it stands: modfleet rollouts show ${rollout ?? 'ID'}`],
  rollout_changed: (_problem, { rollout }) => [`look at it again: modfleet rollouts approve ${rollout ?? 'ID'}`],
  approval_own: (_problem, { rollout }) => [
    `somebody else has to look at it: modfleet rollouts approve ${rollout ?? 'ID'}`,
  ],
  join_token_not_found: () => ['see which there are: modfleet join-tokens list'],
  forbidden: () => ['see what you may: modfleet whoami'],
  account_not_found: () => ['see which there are: modfleet accounts list'],
  grant_not_found: () => ['see which there are: modfleet grants list'],
  token_not_found: () => ['see which there are: modfleet tokens list'],
  rate_limited: TRY_AGAIN,
  selector_invalid: SELECTORS,
  cursor_invalid: () => ['ask again from the first page'],
  frozen: () => ['lift the freeze: modfleet thaw'],
  database_behind: () => ["on the server's machine: modfleet-server epoch show"],
  database_unavailable: TRY_AGAIN,
  overloaded: TRY_AGAIN,
  idempotency_in_flight: TRY_AGAIN,
  audit_unavailable: (problem) => [`the server's log says why, under request ${problem.requestId}`],
  internal: (problem) => [`the server's log has more under request ${problem.requestId}`],
};

function hintsFor(problem: Problem, asked: Asked): string[] {
  const table: Readonly<Record<string, Hint | undefined>> = HINTS;
  return table[problem.code]?.(problem, asked) ?? [];
}

function near(problem: Problem, command: string): string[] {
  return (problem.candidates ?? []).slice(0, 5).map((name) => `did you mean: modfleet ${command} ${shellWord(name)}`);
}

function globSafe(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_.-]/g, '');
}
