import { Verb } from '@modfleet/proto';
import { type ActionFacts, asksForLoad, type Question, type RawFinding } from './facts.ts';
import { loadAgainFindings } from './kernel-findings.ts';
import { obstacleFindings } from './obstacle-findings.ts';
import { reliesOnRevert } from './stake-findings.ts';

/**
 * Whether the revert of an unload's confirm window could load the kmod again: all that would refuse the load half of a reload. It refuses the unload
 * only where something is at stake that the window makes a note of because of this revert; else it is a note: to unload what is blocked is what
 * people block kmods for. A reload needs none of this, it is judged by its own load half. Pure.
 */
export function wayBackFindings(question: Question, facts: ActionFacts): RawFinding[] {
  const { verb, kmod } = question;
  if (verb !== Verb.VERB_UNLOAD || !asksForLoad(question) || facts.loaded === undefined) return [];
  const refuses = facts.stakes.some((stake) => reliesOnRevert(question, stake));
  return [...loadAgainFindings(question, facts), ...obstacleFindings(facts.reloadObstacles)]
    .filter((finding) => finding.refuses)
    .map((finding) => ({ ...finding, refuses, message: `${finding.message}; ${consequence(kmod, finding)}` }));
}

function consequence(kmod: string, { evidence }: RawFinding): string {
  return evidence.some((one) => one.kind === 'unseen')
    ? `so it is not known whether ${kmod} could be loaded again, and a confirm window may not put it back`
    : `${kmod} could not be loaded again, so a confirm window could not put it back`;
}
