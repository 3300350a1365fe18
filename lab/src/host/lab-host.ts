import { readFile, rm } from 'node:fs/promises';
import { LabError } from '../lab-error.ts';
import { Machine } from '../qemu/machine.ts';
import type { MachineSpec } from '../qemu/qemu-arguments.ts';
import type { HostKind, HostNetwork, KernelSeries } from '../types.ts';
import type { CommandResult } from './control-channel.ts';
import { type HostRecord, writeRecord } from './run-folder.ts';

/**
 * Limits in ms. Generous: an emulated CPU, shared by six hosts on a machine of which others take half, was seen to take seven minutes for a boot; a hang
 * is told apart by the console log anyway.
 */
const BOOT_MS = 900_000;
const SHUTDOWN_MS = 300_000;
const COMMAND_MS = 240_000;

/** How long `run` waits, in ms. */
export interface RunOptions {
  timeoutMs?: number;
}

/** `orderly` asks the host's own init; `hard` pulls the plug. */
export type PowerOptions = { hard?: boolean };

/**
 * A real host under test. Everything here is the harness's own door and not the product's.
 * INVARIANTS: the disk lives until kill(), whatever reboots and power cuts come; at most one QEMU runs for a host.
 */
export class LabHost {
  readonly name: string;
  readonly kind: HostKind;
  readonly series: KernelSeries;
  readonly network: HostNetwork;
  readonly kernelRelease: string;
  /** Everything the kernel printed, over all boots. */
  readonly consoleLog: string;
  readonly #spec: MachineSpec;
  readonly #record: HostRecord;
  #machine: Machine | undefined;
  #bootId = '';

  constructor(spec: MachineSpec, record: HostRecord) {
    this.name = record.name;
    this.kind = record.kind;
    this.series = record.series;
    this.network = record.network;
    this.kernelRelease = record.kernelRelease;
    this.consoleLog = spec.consoleLog;
    this.#spec = spec;
    this.#record = record;
  }

  /** The boot id that the host's kernel gave itself at the latest boot. */
  get bootId(): string {
    return this.#bootId;
  }

  /** True between power on and power off. */
  get isOn(): boolean {
    return this.#machine !== undefined;
  }

  /** Boots the host from its disk; resolves when it takes commands. */
  async powerOn(): Promise<void> {
    if (this.#machine !== undefined) throw new LabError(`${this.name} is on already`);
    const machine = await Machine.start(this.#spec, this.#record.folder);
    this.#machine = machine;
    void machine.ended.then(() => {
      if (this.#machine === machine) this.#machine = undefined;
    });
    await writeRecord({ ...this.#record, qemuPid: machine.pid });
    await this.#booted(machine, '');
  }

  /** Runs a shell command as root on the host; any exit code is an answer. LabError when the host does not answer in time. */
  async run(command: string, options: RunOptions = {}): Promise<CommandResult> {
    return this.#on().control.run(command, options.timeoutMs ?? COMMAND_MS);
  }

  /** A file of the host as text, whatever the kernel has in it now: a look that costs the host a twentieth of a command. */
  async read(path: string): Promise<string> {
    const { code, stdout } = await this.#on().control.read(path, COMMAND_MS);
    if (code !== 0) throw new LabError(`on ${this.name}, ${path} cannot be read`, { logFile: this.consoleLog });
    return stdout;
  }

  /** Like run, but an exit code other than 0 is a LabError. Gives stdout without the last line break. */
  async must(command: string, options: RunOptions = {}): Promise<string> {
    const result = await this.run(command, options);
    if (result.code !== 0) {
      const said = (result.stderr || result.stdout).trim();
      throw new LabError(`on ${this.name}, exit code ${result.code} from ${command}: ${said}`, {
        logFile: this.consoleLog,
      });
    }
    return result.stdout.replace(/\n$/, '');
  }

  /** Waits until everything that starts at boot has started (systemd's word for it on the full kind). */
  async settled(): Promise<void> {
    if (this.kind === 'full') await this.run('systemctl is-system-running --wait', { timeoutMs: BOOT_MS });
  }

  /** Puts a text file on the host. */
  async writeFile(path: string, content: string): Promise<void> {
    const encoded = Buffer.from(content).toString('base64');
    await this.must(`mkdir -p "$(dirname '${path}')" && printf %s '${encoded}' | base64 -d > '${path}'`);
  }

  /** Starts, stops or restarts the agent as a service of the host; a stopped one stays stopped until the next boot or start. */
  async agent(verb: 'start' | 'stop' | 'restart'): Promise<void> {
    await this.must(`/usr/lib/modfleet-lab/agent-service ${verb}`);
  }

  /** Process id of the agent on the host, 0 when it does not run. */
  async agentPid(): Promise<number> {
    return Number(await this.must('/usr/lib/modfleet-lab/agent-service pid'));
  }

  /** What the agent logged on this host so far. */
  async agentLog(): Promise<string> {
    return (await this.run('/usr/lib/modfleet-lab/agent-service log')).stdout;
  }

  /** Stops the host's clock and CPU, as when a virtual machine is paused. It notices nothing. */
  async suspend(): Promise<void> {
    await this.#on().monitor.execute('stop');
  }

  async resume(): Promise<void> {
    await this.#on().monitor.execute('cont');
  }

  /** Pulls or plugs in the network cable, or both cables of a host with two cards. */
  async setNetwork(up: boolean): Promise<void> {
    const cards = this.#spec.network.kind === 'user' ? ['nic0'] : ['nic0', 'nic1'];
    for (const name of cards) await this.#on().monitor.execute('set_link', { name, up });
  }

  /**
   * Reboots and resolves when the host takes commands again, with a new boot id. `hard`: its power is cut, and comes back. Not by QEMU's reset: an
   * emulated host with the agent on it then took 50 s and some 5 minutes until its kernel began (two timed, QEMU 7.2), and one whose power was cut
   * took commands after 10 s.
   */
  async reboot(options: PowerOptions = {}): Promise<void> {
    if (options.hard) {
      await this.powerOff(options);
      return this.powerOn();
    }
    const again = this.rebooted();
    await this.must('/usr/lib/modfleet-lab/power reboot');
    await again;
  }

  /** Resolves when the host has rebooted by its own will and takes commands again. To be called before that may happen. */
  async rebooted(): Promise<void> {
    await this.#booted(this.#on(), this.#bootId);
  }

  /** Switches the host off; its disk stays for powerOn. */
  async powerOff(options: PowerOptions = {}): Promise<void> {
    const machine = this.#on();
    if (options.hard) return machine.cut();
    await this.must('/usr/lib/modfleet-lab/power off');
    await this.#within(SHUTDOWN_MS, machine.ended, 'did not switch off');
  }

  /** Ends the host for good and removes its disk and logs. */
  async kill(): Promise<void> {
    await this.#machine?.cut();
    await rm(this.#record.folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #on(): Machine {
    if (this.#machine === undefined) throw new LabError(`${this.name} is off`, { logFile: this.consoleLog });
    return this.#machine;
  }

  async #booted(machine: Machine, previousBootId: string): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      const onReady = (bootId: string): void => {
        if (bootId === previousBootId) return; // the control script started anew, not the host
        machine.control.off('ready', onReady);
        this.#bootId = bootId;
        resolve();
      };
      machine.control.on('ready', onReady);
      void machine.ended.then(() =>
        reject(new LabError(`${this.name} went off while it booted`, { logFile: this.consoleLog })),
      );
    });
    const lines = await consoleLines(this.consoleLog);
    try {
      await this.#within(BOOT_MS, ready, 'did not boot');
    } catch (error) {
      // Its folder goes with it: what is known of where it hangs is said here.
      const since = (await consoleLines(this.consoleLog)).slice(lines.length);
      const words = [...since, await whereItIs(machine)].join('\n');
      throw new LabError(`${String(error)}\n${words}`, { cause: error });
    }
  }

  async #within<T>(limitMs: number, work: Promise<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new LabError(`${this.name} ${what} within ${limitMs / 1000} s`, { logFile: this.consoleLog });
      timer = setTimeout(() => reject(error), limitMs);
    });
    return Promise.race([work, late]).finally(() => clearTimeout(timer));
  }
}

async function consoleLines(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8').catch(() => '')).split('\n');
}

/** What the processor does: halted or busy, and where. */
async function whereItIs(machine: Machine): Promise<string> {
  const ask = { 'command-line': 'info registers' };
  const said = await machine.monitor.execute('human-monitor-command', ask).catch((error: unknown) => String(error));
  return `CPU: ${String(said).replaceAll(/\s+/g, ' ').slice(0, 600)}`;
}
