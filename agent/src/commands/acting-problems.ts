import type { Exec, ProgramName } from '../exec/exec.ts';
import type { Capabilities } from '../host/capabilities.ts';
import type { HostReport } from './host-report.ts';

/** Without these no kmod is loaded or unloaded, and where they come from. */
const NEEDED = { modprobe: 'kmod', rmmod: 'kmod', flock: 'util-linux' } as const satisfies Partial<
  Record<ProgramName, string>
>;

/** What the decision rests on. */
export interface ActingFacts {
  readonly report: Pick<HostReport, 'loaded' | 'config'>;
  readonly mode: 'observe' | 'act';
  readonly exec: Pick<Exec, 'find'>;
  /** Of this process; undefined when they cannot be read. */
  readonly capabilities: Capabilities | undefined;
}

/** Why this agent can change nothing here, each reason with its way out; empty when it can. */
export function actingProblems({ report, mode, exec, capabilities }: ActingFacts): string[] {
  const { loaded, config } = report;
  return [
    mode === 'observe' ? 'the mode is observe: set "mode: act" in the agent\'s settings' : undefined,
    loaded.kind === 'incapable' ? loaded.reason : undefined,
    config.kind === 'value' && config.value.modulesDisabled === true
      ? 'kernel.modules_disabled is 1: nothing loads or unloads until reboot'
      : undefined,
    capabilities === undefined ? 'the capabilities of whoever would act cannot be read: run this as root' : undefined,
    capabilities?.sysModule === false
      ? 'whoever would act has no CAP_SYS_MODULE: run the agent as root, or with its helper under systemd'
      : undefined,
    ...Object.entries(NEEDED).map(([name, from]) =>
      exec.find(name as keyof typeof NEEDED) === undefined
        ? `${name} is missing: install the package ${from}`
        : undefined,
    ),
  ].filter((problem) => problem !== undefined);
}
