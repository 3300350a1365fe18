import { assertNever } from '@modfleet/proto';
import { fnmatch } from '../../kmod/glob.ts';
import {
  type ActionFacts,
  type ActionPolicy,
  evidence,
  POLICY_FILE,
  type Question,
  type RawFinding,
  type Stake,
} from './facts.ts';

/** What the host stands on, or would lose, when the kmod goes. Pure. */
export function stakeFindings(question: Question, facts: ActionFacts, policy: ActionPolicy): RawFinding[] {
  const { kmod } = question;
  if (facts.loaded === undefined && !facts.tree.builtin) return [];
  const listed = policy.protected.find((glob) => fnmatch(glob, kmod));
  const byPolicy: RawFinding[] =
    listed === undefined
      ? []
      : [
          {
            code: 'protected',
            refuses: true,
            message: `the host's policy protects ${kmod}`,
            evidence: [evidence('config', `${POLICY_FILE}: policy.protected: ${listed}`)],
          },
        ];
  return [...byPolicy, ...facts.stakes.map((stake) => stakeFinding(question, stake))];
}

/**
 * What a value of a kmod that stays could still cut off: the way to the server, and interfaces. A window makes a note of it, as its revert writes the
 * former values back; no override is asked for, as nothing goes away. Pure.
 */
export function setStakeFindings({ kmod, confirmWindowSeconds }: Question, { stakes }: ActionFacts): RawFinding[] {
  return stakes
    .filter(({ kind }) => kind === 'route' || kind === 'interface')
    .map(({ message, evidence: shown }) => ({
      code: 'needs_confirm_window',
      refuses: confirmWindowSeconds === 0,
      message: `a value of ${kmod} could cut the host off: ${message}`,
      evidence: shown,
    }));
}

/** True where only the window's revert stands between this stake and its loss. */
export function reliesOnRevert(question: Question, stake: Stake): boolean {
  return stake.restorable !== false && isSoftened(question, stake);
}

/**
 * Whether a window makes a note of a stake. An interface: yes, as the host puts back what it can. The route: the same, where its override was asked
 * for too, and only where a revert makes all of it again. Everything else stays refused: no revert brings back a lost disk, an armed watchdog's feeder, or data.
 */
function isSoftened({ confirmWindowSeconds: seconds, overrides }: Question, { kind, restorable }: Stake): boolean {
  switch (kind) {
    case 'interface':
      return seconds > 0;
    case 'route':
      return seconds > 0 && overrides.includes('route') && restorable !== false;
    case 'storage':
    case 'watchdog':
    case 'data':
      return false;
    default:
      return assertNever(kind);
  }
}

function stakeFinding(question: Question, stake: Stake): RawFinding {
  const { kind, message, evidence: shown } = stake;
  const code = kind === 'interface' ? 'needs_confirm_window' : 'protected';
  if (!isSoftened(question, stake)) return { code, refuses: true, message, evidence: shown };
  const overridden = kind === 'route' ? ' (override "route")' : '';
  const inside =
    stake.restorable === false
      ? 'a confirm window does not put this back'
      : `the server's confirm must come within ${question.confirmWindowSeconds} s of confirm window, or the host puts back what it can`;
  return { code, refuses: false, message: `${message}${overridden}; ${inside}`, evidence: shown };
}
