import { assertNever, Verb } from '@modfleet/proto';
import { fnmatch } from '../../kmod/glob.ts';
import { type ActionFacts, type ActionPolicy, evidence, type Question, type RawFinding, type Stake } from './facts.ts';

const POLICY_FILE = 'agent.yaml';

/** What we say: the host's policy, what the host stands on, what cannot be done here. Pure. */
export function policyFindings(question: Question, facts: ActionFacts, policy: ActionPolicy): RawFinding[] {
  return [
    ...unsupported(question, facts),
    ...denied(question, facts, policy),
    ...died(facts),
    ...(question.verb === Verb.VERB_LOAD ? [] : stakes(question, facts, policy)),
    ...obstacles(question, facts),
  ];
}

function unsupported({ dryRun }: Question, { kernel, missingPrograms }: ActionFacts): RawFinding[] {
  const findings: RawFinding[] = missingPrograms.map((program) => ({
    code: 'unsupported',
    refuses: true,
    message: `${program} is not installed on this host; install the package kmod`,
    evidence: [],
  }));
  if (kernel.container !== undefined) {
    findings.push({
      code: 'unsupported',
      refuses: true,
      message: `the agent runs inside a container (${kernel.container}) and cannot see what the host stands on; run it on the host itself`,
      evidence: [],
    });
  }
  if (kernel.mayChange === false) {
    findings.push({
      code: 'unsupported',
      refuses: !dryRun,
      message: 'the agent may not load or unload kmods (it lacks CAP_SYS_MODULE); run it as root',
      evidence: [evidence('path', '/proc/self/status')],
    });
  }
  return findings;
}

function denied({ verb, kmod, dryRun }: Question, { tree }: ActionFacts, policy: ActionPolicy): RawFinding[] {
  const deny = policy.deny.find((glob) => fnmatch(glob, kmod));
  const along =
    verb === Verb.VERB_UNLOAD ? [] : [...tree.dependencies.map((file) => file.name), ...tree.softDependencies];
  const outside = policy.allow.length > 0 && !policy.allow.some((glob) => fnmatch(glob, kmod));
  const findings: RawFinding[] = [];
  if (policy.mode === 'observe') {
    findings.push({
      code: 'denied_by_host_policy',
      // A dry run is what an observing host can still answer.
      refuses: !dryRun,
      message:
        'mode is observe: this host reports and changes nothing; only "mode: act" in its agent.yaml allows changes',
      evidence: [evidence('config', `${POLICY_FILE}: mode: observe`)],
    });
  }
  if (deny !== undefined) {
    findings.push({
      code: 'denied_by_host_policy',
      refuses: true,
      message: `the host's policy denies actions on ${kmod}`,
      evidence: [evidence('config', `${POLICY_FILE}: policy.deny: ${deny}`)],
    });
  } else if (outside) {
    findings.push({
      code: 'denied_by_host_policy',
      refuses: true,
      message: `the host's policy allows actions on listed kmods only, and ${kmod} is not listed`,
      evidence: [evidence('config', `${POLICY_FILE}: policy.allow: ${policy.allow.join(', ')}`)],
    });
  }
  for (const name of along) {
    const glob = policy.deny.find((each) => fnmatch(each, name));
    if (glob === undefined) continue;
    findings.push({
      code: 'denied_by_host_policy',
      refuses: true,
      message: `loading ${kmod} loads ${name} too, on which the host's policy denies actions`,
      evidence: [evidence('config', `${POLICY_FILE}: policy.deny: ${glob}`), evidence('kmod', name)],
    });
  }
  return findings;
}

/** Bit 7 of the taint: the kernel has oopsed or hit a BUG (Documentation/admin-guide/tainted-kernels.rst). */
const TAINT_DIE = 128;

function died({ kernel, died: detail }: ActionFacts): RawFinding[] {
  const oopsed = kernel.taint !== undefined && (kernel.taint & TAINT_DIE) !== 0;
  if (!oopsed && detail === undefined) return [];
  return [
    {
      code: 'kernel_died',
      refuses: true,
      message: `the kernel has oopsed since it booted${detail === undefined ? '' : ` (${detail})`}: nothing more is done to its kmods before a reboot`,
      evidence: [evidence('path', `/proc/sys/kernel/tainted: ${kernel.taint ?? 'unreadable'}`)],
    },
  ];
}

function stakes(question: Question, facts: ActionFacts, policy: ActionPolicy): RawFinding[] {
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
 * What a window makes of a stake. An interface: a note, as the host puts it back by itself. The route: the same, where its override was asked for
 * too. Everything else stays refused: no revert brings back a lost disk, an armed watchdog's feeder, or data.
 */
function stakeFinding({ confirmWindowSeconds: seconds, overrides }: Question, stake: Stake): RawFinding {
  const { kind, message, evidence: shown } = stake;
  const inside = `; the server's confirm must come within ${seconds} s of confirm window, or the host puts it back`;
  switch (kind) {
    case 'interface':
      return seconds > 0
        ? { code: 'needs_confirm_window', refuses: false, message: message + inside, evidence: shown }
        : { code: 'needs_confirm_window', refuses: true, message, evidence: shown };
    case 'route':
      return seconds > 0 && overrides.includes('route')
        ? { code: 'protected', refuses: false, message: `${message} (override "route")${inside}`, evidence: shown }
        : { code: 'protected', refuses: true, message, evidence: shown };
    case 'storage':
    case 'watchdog':
    case 'data':
      return { code: 'protected', refuses: true, message, evidence: shown };
    default:
      return assertNever(kind);
  }
}

function obstacles({ verb }: Question, facts: ActionFacts): RawFinding[] {
  return facts.obstacles.map((obstacle): RawFinding => {
    const shown = [evidence('config', obstacle.where)];
    switch (obstacle.kind) {
      case 'block':
        return {
          code: 'blocked',
          refuses: true,
          message: `${obstacle.kmod} is blocked by configuration: modprobe will not load it`,
          evidence: shown,
        };
      case 'kernel_blacklist':
        return {
          code: 'blocked',
          refuses: true,
          message: `the kernel refuses ${obstacle.kmod} whoever loads it (module_blacklist, EPERM)`,
          evidence: shown,
        };
      case 'soft_blacklist':
        return {
          code: 'blocked',
          refuses: false,
          message: `${obstacle.kmod} is blacklisted, which keeps its devices and aliases from loading it, but not a load by name`,
          evidence: shown,
        };
      case 'custom':
        return {
          code: 'custom_command',
          refuses: true,
          message: `modprobe.d has a command of its own for ${verb === Verb.VERB_UNLOAD ? 'removing' : 'loading'} ${obstacle.kmod}; it is not run unseen`,
          evidence: shown,
        };
      case 'redirect':
        return {
          code: 'custom_command',
          refuses: true,
          message: `an alias line of modprobe.d takes the name ${obstacle.kmod} elsewhere: modprobe would load another kmod in its place`,
          evidence: shown,
        };
    }
  });
}
