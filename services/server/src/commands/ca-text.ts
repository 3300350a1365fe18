import { X509Certificate } from 'node:crypto';
import type { ReplicaStanding } from '../ca/ca-fleet.queries.ts';
import { expiryOf } from '../ca/ca-expiry.ts';
import type { CaStanding, CaStepTaken, LeftBehind } from '../ca/ca-rotation.ts';
import { type CaStep, returnable } from '../ca/ca-set.machine.ts';
import { type CaRecord, type CaSet, type FormerCa, issuingCa, shortId } from '../ca/ca-set.ts';

/** What each phase means, in one sentence. */
const PHASE_WORDS = {
  single: 'one CA counts',
  trust_both: 'the old CA issues; hosts learn to trust the new one, too',
  issue_new: 'the new CA issues; hosts renew their certificates; the old one is still trusted',
} as const satisfies Record<CaSet['phase'], string>;

/** What a step does, before it is taken. */
const STEP_WORDS = {
  begin: 'makes a new CA that hosts learn to trust; nothing else changes',
  issue: 'the new CA issues from then on; hosts renew their certificates within the quarter of an hour after',
  finish: 'the old CA is trusted no longer',
  back: 'takes the last step back',
} as const satisfies Record<CaStep, string>;

/** What is to be done after a step was taken; by the phase that it led to. */
const AFTER = {
  trust_both:
    'Hosts that are connected learn of it within a minute. Make a backup of STATE_DIR/ca now.\nNext: watch "modfleet-server ca show", then "modfleet-server ca rotate issue".',
  issue_new:
    'Hosts renew their certificates by themselves.\nNext: watch "modfleet-server ca show", then "modfleet-server ca rotate finish".',
  single:
    'Make a backup of STATE_DIR/ca now. Give people and programs that verify the API the new STATE_DIR/ca/ca.crt.',
} as const satisfies Record<CaSet['phase'], string>;

/** `modfleet-server ca show`. */
export function standingText(standing: CaStanding, now: Date): string {
  const { set, trusted, notes, hosts, replicas, newestOfHosts, steps } = standing;
  const lines = [
    `phase         ${set.phase}, since ${instant(set.changedAt)} (generation ${set.generation}): ${PHASE_WORDS[set.phase]}`,
    `issues        ${caWords(issuingCa(set))}`,
    ...(set.phase === 'trust_both' && set.next !== null ? [`next          ${caWords(set.next)}`] : []),
    ...(set.phase === 'issue_new' ? [`old           ${caWords(set.current)}`] : []),
    ...set.former.map((ca) => `former        ${formerWords(ca, standing)}`),
    `hosts         ${hosts.hosts}${trustWords(standing)}`,
    `certificates  ${certificateWords(standing)}`,
    ...serverLines(set, replicas),
  ];
  const { level, words } = expiryOf(trusted, now);
  if (level !== 'ok') lines.push(`warning       ${words}`);
  for (const note of notes) lines.push(`warning       ${note}`);
  if (newestOfHosts > set.generation)
    lines.push(
      `warning       a host knows generation ${newestOfHosts}, which is newer than this folder: it was restored from an older backup, or this is another server's`,
    );
  return [...lines, ...steps.flatMap(stepLines)].join('\n');
}

/** After a step. */
export function stepText({ before, set, leftBehind, replicas, behind, notes }: CaStepTaken): string {
  const lines = [`${before.phase} -> ${set.phase}: ${PHASE_WORDS[set.phase]}`, `issues ${caWords(issuingCa(set))}`];
  if (leftBehind.count > 0) lines.push(`left behind: ${hostWords(leftBehind)}`);
  if (replicas.length === 0) lines.push('No server runs now; it works with this when it starts.');
  else if (behind.length === 0)
    lines.push(`Taken over by ${replicas.length === 1 ? 'the server that runs' : `all ${replicas.length} servers`}.`);
  else
    lines.push(
      `Not yet taken over by ${behind.map((each) => `${each.name} (generation ${each.generation})`).join(', ')}: copy STATE_DIR/ca there, or see its log. No further step until then.`,
    );
  for (const note of notes) lines.push(`Note: ${note}`);
  lines.push(AFTER[set.phase]);
  return lines.join('\n');
}

export function forgottenText(cas: readonly CaRecord[]): string {
  return cas
    .map(({ id, key }) =>
      key?.kind === 'given'
        ? `The former CA ${shortId(id)} is forgotten: its end can no longer be taken back. Its key is a file of yours, and yours to erase: ${key.keyFile}`
        : `The key of the former CA ${shortId(id)} is erased: its end can no longer be taken back.`,
    )
    .join('\n');
}

function caWords(ca: CaRecord): string {
  const { subject, validToDate } = new X509Certificate(Buffer.from(ca.certificate, 'base64'));
  const where = ca.key === null ? 'key erased' : ca.key.kind === 'own' ? 'made here' : ca.key.certFile;
  return `${shortId(ca.id)}  ${subject.replaceAll('\n', ', ')}, until ${validToDate.toISOString().slice(0, 10)} (${where})`;
}

function formerWords(ca: FormerCa, { set, unusable, steps }: CaStanding): string {
  return `${shortId(ca.id)}  ${ca.why} ${instant(ca.until)} (${keyWords(ca, set, unusable.has(ca.id), steps)})`;
}

/** Nothing that is not possible now, or as soon as it is said to be. */
function keyWords(ca: FormerCa, set: CaSet, isUnusable: boolean, steps: readonly LeftBehind[]): string {
  if (ca.key === null) return 'no key any more';
  const kept = ca.key.kind === 'own' ? 'key kept' : `key in ${ca.key.keyFile}, a file of yours`;
  const returns =
    set.phase === 'single' && returnable(set)?.id === ca.id && steps.some(({ step }) => step === 'back')
      ? '"rotate back" is possible, '
      : '';
  const forget = ca.key.kind === 'own' ? '"rotate forget" erases it' : '"rotate forget" makes this server forget it';
  return `${kept}${isUnusable ? ', and not usable' : ''}: ${returns}${forget}${set.phase === 'single' ? '' : ', once the rotation has ended'}`;
}

function trustWords({ set, hosts }: CaStanding): string {
  const parts =
    set.next === null
      ? [part(hosts.both, 'trust it'), part(hosts.neither, 'do not yet')]
      : [
          part(hosts.both, 'trust both'),
          part(hosts.nextOnly, 'trust the new CA only'),
          part(hosts.currentOnly, 'trust the old CA only'),
          part(hosts.neither, 'trust neither'),
        ];
  return listed([
    ...parts,
    part(hosts.alsoOther, 'trust a former CA, too, until they are back'),
    part(hosts.unheard, 'have not said (never connected, or an older agent)'),
  ]);
}

function certificateWords({ set, hosts }: CaStanding): string {
  const { certificatesByNext, certificatesByCurrent, certificatesByOther } = hosts;
  const words =
    set.next === null
      ? listed([part(certificatesByNext, 'by it'), part(certificatesByOther, 'by a former CA')])
      : listed([
          part(certificatesByNext, 'by the new CA'),
          part(certificatesByCurrent, 'by the old CA'),
          part(certificatesByOther, 'by a former CA'),
        ]);
  return words === '' ? 'none seen yet' : words.slice(2);
}

function part(count: number, words: string): string | undefined {
  return count === 0 ? undefined : `${count} ${words}`;
}

function listed(parts: readonly (string | undefined)[]): string {
  const told = parts.filter((words) => words !== undefined);
  return told.length === 0 ? '' : `: ${told.join(', ')}`;
}

function serverLines(set: CaSet, replicas: readonly ReplicaStanding[]): string[] {
  if (replicas.length === 0) return ['servers       none runs now'];
  return replicas.map(({ name, phase, generation }) => {
    const same = generation === set.generation;
    const words = same ? '' : '  <- works with another set: copy STATE_DIR/ca there; no step is taken until then';
    return `server        ${name}: ${phase}, generation ${generation}${words}`;
  });
}

function stepLines(leftBehind: LeftBehind): string[] {
  const { step, count } = leftBehind;
  const head = `rotate ${step.padEnd(6)} ${STEP_WORDS[step]}`;
  return count === 0 ? [head] : [head, `              would leave behind ${hostWords(leftBehind)}`];
}

function hostWords({ count, hosts }: LeftBehind): string {
  const named = hosts.map((host) => `${host.name} (${host.live ? 'connected' : 'silent'})`).join(', ');
  return `${count} ${count === 1 ? 'host' : 'hosts'}: ${named}${count > hosts.length ? ', …' : ''}`;
}

function instant(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}
