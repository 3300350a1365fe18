import type { Writable } from 'node:stream';
import type { AgentConfig } from '../config/agent-config.ts';
import { noRecovery } from '../confirm/session-address.ts';
import type { Exec } from '../exec/exec.ts';
import { NodeExec, NoExec } from '../exec/node-exec.ts';
import { PROGRAM_NAMES, PROGRAM_PURPOSE } from '../exec/programs.ts';
import { HELPER_STATE_DIR } from '../helper/state-dir.ts';
import { FsHostFiles } from '../host/fs-host-files.ts';
import { type Capabilities, readCapabilities } from '../host/capabilities.ts';
import { helperWay } from '../courier/open-link.ts';
import { missingSockets } from '../privileges/missing-sockets.ts';
import { lookAtProcesses, type ProcessLook } from '../privileges/look-at-processes.ts';
import { probeUevents } from '../watch/uevent-probe.ts';
import { actingProblems } from './acting-problems.ts';
import { checkText } from './check-text.ts';
import { observeHost, type HostReport } from './host-report.ts';
import { journalTroubles } from './journal-trouble.ts';
import { newestCommandTroubles } from './newest-command-trouble.ts';

/** `modfleet-agent check [--json]`. */
export interface CheckOptions {
  readonly config: Pick<AgentConfig, 'mode' | 'root' | 'state_dir'> &
    Partial<Pick<AgentConfig, 'reboot_to_recover' | 'server'>>;
  /** As given on the command line: an agent with a file of its own starts its helper as a child. */
  readonly configFile?: string | undefined;
  readonly json: boolean;
  readonly stdout: Writable;
}

/** What can be reported and done on this host, and why not. */
export interface HostCheck {
  readonly report: HostReport;
  readonly mode: AgentConfig['mode'];
  /** Undefined when kernel uevents arrive; else why changes are seen by polling only. */
  readonly noUevents: string | undefined;
  /** Everything that stands in the way of loading and unloading kmods here; empty when nothing does. */
  readonly cannotAct: readonly string[];
  /** What is wrong with the action journal or the settings, and does not stop actions. */
  readonly notes: readonly string[];
  /** What the agent's processes may do, where systemd keeps them apart; undefined where the helper is a child with the agent's own rights. */
  readonly processes: readonly ProcessLook[] | undefined;
  /** Sockets of the helper that systemd, which runs here, does not listen on. */
  readonly missingSockets: readonly string[];
  readonly programs: readonly { readonly name: string; readonly path: string | undefined; readonly purpose: string }[];
}

/** Prints the check. Returns the exit code: 0 when the loaded kmods can be told, else 1. */
export async function checkCommand(options: CheckOptions): Promise<number> {
  const check = await checkHost(options.config, options.configFile);
  const text = options.json ? `${JSON.stringify(checkJson(check), null, 2)}\n` : checkText(check);
  await new Promise<void>((resolve, reject) =>
    options.stdout.write(text, (error) => (error ? reject(error) : resolve())),
  );
  return check.report.loaded.kind === 'value' ? 0 : 1;
}

/** Looks, and changes nothing. */
export async function checkHost(
  { mode, root, state_dir, reboot_to_recover = false, server }: CheckOptions['config'],
  configFile?: string,
): Promise<HostCheck> {
  const files = new FsHostFiles(root);
  const exec: Exec = root === '/' ? new NodeExec() : new NoExec();
  const report = await observeHost(files);
  const isInstalled = configFile === undefined && root === '/';
  const processes = isInstalled && helperWay() === 'socket' ? await lookAtProcesses(files) : undefined;
  const capabilities = processes === undefined ? await readCapabilities(files) : capabilitiesOf(processes);
  const folders = root === '/' ? [state_dir, HELPER_STATE_DIR] : [];
  const troubles = await journalTroubles(folders);
  return {
    report,
    mode,
    noUevents: await probeUevents(exec),
    cannotAct: [
      ...actingProblems({ report, mode, exec, capabilities }),
      ...troubles.filter((trouble) => trouble.stops).map((trouble) => trouble.message),
      ...(await newestCommandTroubles(folders)),
    ],
    notes: [
      ...troubles.filter((trouble) => !trouble.stops).map((trouble) => trouble.message),
      noRecovery({ reboot_to_recover, server }, processes !== undefined),
    ].filter((note) => note !== undefined),
    processes,
    missingSockets: isInstalled ? await missingSockets(files) : [],
    programs: PROGRAM_NAMES.map((name) => ({ name, path: exec.find(name), purpose: PROGRAM_PURPOSE[name] })),
  };
}

/** Where the helper acts, its rights count. */
function capabilitiesOf(processes: readonly ProcessLook[]): Capabilities | undefined {
  const names = processes.find((one) => one.kind === 'helper')?.seen?.capabilities;
  if (names === undefined) return undefined;
  return { sysModule: names.includes('CAP_SYS_MODULE'), syslog: names.includes('CAP_SYSLOG') };
}

function checkJson(check: HostCheck): object {
  const { report } = check;
  const facets = ['loaded', 'parameters', 'available', 'devices', 'config'] as const;
  const config = report.config.kind === 'value' ? report.config.value : undefined;
  return {
    mode: check.mode,
    kernelRelease: report.kernelRelease ?? null,
    report: Object.fromEntries(
      facets.map((facet) => {
        const seen = report[facet];
        return [facet, seen.kind === 'value' ? { can: true } : { can: false, reason: seen.reason }];
      }),
    ),
    uevents: check.noUevents === undefined ? { can: true } : { can: false, reason: check.noUevents },
    act: check.cannotAct.length === 0 ? { can: true } : { can: false, reasons: check.cannotAct },
    kernel: {
      modulesDisabled: config?.modulesDisabled ?? null,
      lockdown: config?.lockdown ?? null,
      sigEnforce: config?.sigEnforce ?? null,
      secureBoot: config?.secureBoot ?? null,
    },
    notes: [...(config?.unreadable ?? []), ...check.notes],
    processes:
      check.processes?.map(({ kind, seen, problems }) => ({
        kind,
        seen: seen ?? null,
        asListed: problems.length === 0,
        problems,
      })) ?? null,
    missingSockets: check.missingSockets,
    programs: check.programs.map(({ name, path, purpose }) => ({ name, path: path ?? null, purpose })),
  };
}
