import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { ControlChannel } from '../host/control-channel.ts';
import { runFiles } from '../host/run-folder.ts';
import { LabError } from '../lab-error.ts';
import { type MachineSpec, qemuArguments } from './qemu-arguments.ts';
import { QmpClient } from './qmp-client.ts';
import { VlanRelay } from './vlan-relay.ts';

/** QEMU processes of this process that still run, so that a normal exit ends them too. */
const running = new Set<number>();

process.on('exit', () => {
  for (const pid of running) process.kill(pid, 'SIGKILL');
});

async function listen(path: string): Promise<Server> {
  await rm(path, { force: true });
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  return server;
}

/** The VLAN of hosts with a tagged pair of cards. */
const VLAN = 9;

async function relayFor({ network }: MachineSpec): Promise<VlanRelay | undefined> {
  if (network.kind === 'user') return undefined;
  return VlanRelay.listen({ trunk: network.trunkSocket, access: network.accessSocket }, VLAN);
}

async function caller(server: Server): Promise<Socket> {
  const [socket] = (await once(server, 'connection')) as [Socket];
  server.close();
  return socket;
}

/**
 * One run of QEMU, from power on to power off.
 * INVARIANTS: QEMU never outlives this process: setpriv has the kernel kill it when we die in whatever way, and `exit` kills it
 * by its id. Both channels are connected before the first instruction runs, so nothing that a host says is lost.
 */
export class Machine {
  readonly control: ControlChannel;
  readonly monitor: QmpClient;
  readonly pid: number;
  /** Settles when QEMU is gone. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;

  private constructor(
    child: ChildProcess,
    pid: number,
    ended: Promise<void>,
    control: ControlChannel,
    monitor: QmpClient,
  ) {
    this.#child = child;
    this.pid = pid;
    this.ended = ended;
    this.control = control;
    this.monitor = monitor;
  }

  /** Starts QEMU; resolves when both channels are connected, long before the host has booted. */
  static async start(spec: MachineSpec, folder: string): Promise<Machine> {
    const files = runFiles(folder);
    const servers = [await listen(files.controlSocket), await listen(files.monitorSocket)] as const;
    const connections = Promise.all([caller(servers[0]), caller(servers[1])]);
    const relay = await relayFor(spec);
    const log = openSync(files.qemuLog, 'a');
    const command = ['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', ...qemuArguments(spec)];
    const child = spawn('setpriv', command, { stdio: ['ignore', log, log] });
    closeSync(log);
    const ended = new Promise<void>((resolve) => {
      child.on('exit', () => resolve());
      child.on('error', () => resolve());
    });
    void ended.then(() => relay?.close());
    const pid = child.pid;
    if (pid === undefined) throw new LabError('cannot start QEMU: setpriv (Debian package util-linux) is missing');
    running.add(pid);
    void ended.then(() => running.delete(pid));
    const sockets = await Promise.race([connections, ended]);
    if (sockets === undefined) {
      for (const server of servers) server.close();
      const said = readFileSync(files.qemuLog, 'utf8').trim().split('\n').slice(-5).join('\n');
      throw new LabError(`QEMU ended at once: ${said}`, { logFile: files.qemuLog });
    }
    const control = new ControlChannel(sockets[0], spec.name);
    return new Machine(child, pid, ended, control, await QmpClient.open(sockets[1]));
  }

  /** The plug is pulled. */
  async cut(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}
