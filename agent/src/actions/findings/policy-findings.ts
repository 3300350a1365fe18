import { fnmatch } from '../../kmod/glob.ts';
import {
  type ActionFacts,
  type ActionPolicy,
  evidence,
  loads,
  POLICY_FILE,
  type Question,
  type RawFinding,
  removes,
} from './facts.ts';
import { obstacleFindings } from './obstacle-findings.ts';
import { stakeFindings } from './stake-findings.ts';

/** What we say: the host's policy, what the host stands on, what cannot be done here. Pure. */
export function policyFindings(question: Question, facts: ActionFacts, policy: ActionPolicy): RawFinding[] {
  return [
    ...unsupported(question, facts),
    ...denied(question, facts, policy),
    ...windowAsSet(question, policy),
    ...died(facts),
    ...(removes(question) ? stakeFindings(question, facts, policy) : []),
    ...obstacleFindings(facts.obstacles),
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

function denied(question: Question, { tree }: ActionFacts, policy: ActionPolicy): RawFinding[] {
  const { kmod, dryRun } = question;
  const deny = policy.deny.find((glob) => fnmatch(glob, kmod));
  // An unload in a confirm window has them for its revert only.
  const along = loads(question) ? [...tree.dependencies.map((file) => file.name), ...tree.softDependencies] : [];
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

/** What the host's settings say of confirm windows. A load changes nothing that a window could put back, but where the settings name it. */
function windowAsSet({ kmod, confirmWindowSeconds: seconds }: Question, policy: ActionPolicy): RawFinding[] {
  if (seconds > policy.window_limit) {
    const message = `the host's policy opens confirm windows of ${policy.window_limit} s at most, not of ${seconds} s`;
    const shown = [evidence('config', `${POLICY_FILE}: policy.window_limit: ${policy.window_limit}`)];
    return [{ code: 'denied_by_host_policy', refuses: true, message, evidence: shown }];
  }
  const glob = policy.window.find((each) => fnmatch(each, kmod));
  if (glob === undefined) return [];
  const message = `the host's policy changes ${kmod} inside a confirm window only`;
  const shown = [evidence('config', `${POLICY_FILE}: policy.window: ${glob}`)];
  return [{ code: 'needs_confirm_window', refuses: seconds === 0, message, evidence: shown }];
}

/** Bit 7 of the taint: the kernel has oopsed or hit a BUG (Documentation/admin-guide/tainted-kernels.rst). */
const TAINT_DIE = 128;

function died({ kernel, died: detail }: ActionFacts): RawFinding[] {
  const { taint } = kernel;
  const shown = [evidence('path', `/proc/sys/kernel/tainted: ${taint ?? 'unreadable'}`)];
  if (detail !== undefined || (taint !== undefined && (taint & TAINT_DIE) !== 0)) {
    const how = detail === undefined ? '' : ` (${detail})`;
    const message = `the kernel has oopsed since it booted${how}: nothing more is done to its kmods before a reboot`;
    return [{ code: 'kernel_died', refuses: true, message, evidence: shown }];
  }
  if (Number.isSafeInteger(taint)) return [];
  const message =
    'whether the kernel has oopsed since it booted cannot be told, as its taint cannot be read: nothing is done to its kmods';
  return [{ code: 'kernel_died', refuses: true, message, evidence: shown }];
}
