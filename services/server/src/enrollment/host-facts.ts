import { HostFacts, JournalState } from '@modfleet/proto';
import { holdsSecret } from '../logging/logger.ts';
import { EnrollmentError } from './enrollment.errors.ts';

/** Longest text of one fact; a kernel version line has about 100 characters. */
const TEXT_MAX = 512;
const PATTERNS_MAX = 1_000;
/** C0 and C1. What only reorders or hides text (U+202E) is taken: a host that is so named is still seen, since everything of ours shows such characters. */
const CONTROL = /\p{Cc}/u;

/** Host columns that follow from what a machine says of itself. */
export interface HostColumns {
  readonly name: string;
  readonly machineId: string;
  /** HostFacts as JSON. */
  readonly facts: string;
  readonly kernelRelease: string;
  readonly kernelSeries: string;
  readonly osId: string;
  readonly osVersionId: string;
  readonly arch: string;
  readonly packageFamily: string;
  readonly agentVersion: string;
  readonly mode: string;
  /** Undefined: the host says nothing of its journal, and what it said before stands. */
  readonly journalDamage: JournalDamage | '' | undefined;
}

/** What was damaged of a host's action journal. */
export const JOURNAL_DAMAGES = ['seal', 'record', 'unreadable', 'damaged'] as const;
export type JournalDamage = (typeof JOURNAL_DAMAGES)[number];

const DAMAGE_WORDS: Readonly<Partial<Record<JournalState, JournalDamage | ''>>> = {
  [JournalState.JOURNAL_STATE_WHOLE]: '',
  [JournalState.JOURNAL_STATE_SEAL_LOST]: 'seal',
  [JournalState.JOURNAL_STATE_RECORD_LOST]: 'record',
  [JournalState.JOURNAL_STATE_UNREADABLE]: 'unreadable',
  [JournalState.JOURNAL_STATE_DAMAGED]: 'damaged',
};

/**
 * The columns for these facts.
 *
 * @throws EnrollmentError when a text is too long or holds control characters: facts end up on terminals and in logs.
 */
export function hostColumns(facts: HostFacts): HostColumns {
  const { policy, journal, ...texts } = facts;
  const patterns = policy === undefined ? [] : [...policy.allow, ...policy.deny, ...policy.protected, ...policy.window];
  for (const text of [...Object.values(texts), ...patterns]) {
    if (text.length > TEXT_MAX)
      throw new EnrollmentError('facts_invalid', `A fact of the host is longer than ${TEXT_MAX} characters.`);
    if (CONTROL.test(text)) throw new EnrollmentError('facts_invalid', 'A fact of the host holds control characters.');
    if (holdsSecret(text))
      throw new EnrollmentError('facts_invalid', 'A fact of the host holds a token or a private key.');
  }
  if (patterns.length > PATTERNS_MAX)
    throw new EnrollmentError('facts_invalid', `The host policy has more than ${PATTERNS_MAX} patterns.`);
  return {
    // A machine without a name is a host all the same; people find it by its id.
    name: facts.hostname === '' ? 'unnamed' : facts.hostname,
    machineId: facts.machineId,
    // The journal has columns of its own: an agent that has just started does not know yet, and that must not forget what is known.
    facts: JSON.stringify(HostFacts.toJSON({ ...facts, journal: JournalState.JOURNAL_STATE_UNSPECIFIED })),
    kernelRelease: facts.kernelRelease,
    kernelSeries: /^\d+\.\d+/.exec(facts.kernelRelease)?.[0] ?? '',
    osId: facts.osId,
    osVersionId: facts.osVersionId,
    arch: facts.architecture,
    packageFamily: facts.packageFamily,
    agentVersion: facts.agentVersion,
    mode: facts.mode === 'act' ? 'act' : 'observe',
    journalDamage: DAMAGE_WORDS[journal],
  };
}
