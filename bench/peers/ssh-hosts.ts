import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../scripts/lib/embedded-postgres.mjs';
import { runProgram, ScriptError } from '../../scripts/lib/program.ts';
import { startProcess, type TestProcess } from '../../tests/e2e/support/processes.ts';
import { eventually } from '../../tests/e2e/support/wait.ts';
import { addressGroups, ansibleConfig, knownHosts, sshClientConfig, sshdConfig } from './ssh-config.ts';

/** It starts itself anew for each connection, and wants to know where it is. */
const SSHD = '/usr/sbin/sshd';
/** Compiled into Debian's sshd, which wants it there when root starts it; otherwise the system's service makes it. */
const EMPTY_FOLDER = '/run/sshd';
const ANSIBLE_FORKS = 50;
/** Linux counts processor time in hundredths of a second (USER_HZ). */
const TICK_MS = 10;

/** Debian's sshd on many loopback addresses, with keys and settings of its own in one folder. The system's, and the user's, are not read or changed. */
export class SshHosts {
  readonly addresses: readonly string[];
  readonly folder: string;
  readonly #servers: readonly TestProcess[];

  private constructor(addresses: readonly string[], folder: string, servers: readonly TestProcess[]) {
    this.addresses = addresses;
    this.folder = folder;
    this.#servers = servers;
  }

  static async start(hosts: number): Promise<SshHosts> {
    if (!existsSync(SSHD))
      throw new ScriptError('no sshd here: apt-get install --no-install-recommends openssh-server openssh-client');
    const { username: user, uid } = userInfo();
    if (uid === 0) mkdirSync(EMPTY_FOLDER, { recursive: true, mode: 0o755 });
    const folder = mkdtempSync(join(tmpdir(), 'modfleet-ssh-'));
    // A key that opens a door lies in it: it goes however this ends.
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    for (const name of ['kept', 'home']) mkdirSync(join(folder, name), { mode: 0o700 });
    copyFileSync('/etc/skel/.bashrc', join(folder, 'home/.bashrc'));
    for (const key of ['host-key', 'user-key'])
      await mustRun('ssh-keygen', '-qt', 'ed25519', '-N', '', '-f', join(folder, key));
    const settings = { folder, port: await freePort(), user };
    const groups = addressGroups(hosts);
    const addresses = groups.flat();
    const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
    write('known-hosts', knownHosts(readFileSync(join(folder, 'host-key.pub'), 'utf8')));
    write('ssh-config', sshClientConfig(settings, { isTuned: false }));
    write('ssh-config-tuned', sshClientConfig(settings, { isTuned: true }));
    write('ansible.cfg', ansibleConfig(folder, ANSIBLE_FORKS));
    write('inventory', `${addresses.join('\n')}\n`);
    const servers = groups.map((group, number) => {
      write(`sshd-${number}`, sshdConfig(settings, group));
      return startProcess(SSHD, ['-D', '-e', '-f', join(folder, `sshd-${number}`)], {}, join(folder, 'sshd.log'));
    });
    const started = new SshHosts(addresses, folder, servers);
    for (const [address = ''] of groups) await started.#answers(address);
    return started;
  }

  /** Processor time of all that came in over ssh and is over, ms. */
  cpuMs(): number {
    return this.#servers.reduce((sum, { pid }) => sum + endedChildrenMs(pid), 0);
  }

  /** Ends the connections that ansible's ssh has left open. */
  async closeKept(): Promise<void> {
    const kept = join(this.folder, 'kept');
    for (const socket of readdirSync(kept))
      await runProgram('ssh', ['-F', join(this.folder, 'ssh-config'), '-S', join(kept, socket), '-O', 'exit', 'any']);
  }

  async stop(): Promise<void> {
    await this.closeKept();
    await Promise.all(this.#servers.map((server) => server.end()));
  }

  async #answers(address: string): Promise<void> {
    await eventually(
      `sshd answers on ${address}`,
      async () => {
        const { status, output } = await runProgram('ssh', ['-F', join(this.folder, 'ssh-config'), address, 'true']);
        if (status !== 0) throw new Error(`${output} ${readFileSync(join(this.folder, 'sshd.log'), 'utf8')}`);
        return true;
      },
      15_000,
    );
  }
}

/** What /proc/PID/stat says of children that were waited for, and of theirs. */
function endedChildrenMs(pid: number): number {
  // The name, second, is in brackets and may have spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  const [user, system] = [Number(fields[13]), Number(fields[14])];
  return (user + system) * TICK_MS;
}

async function mustRun(command: string, ...args: string[]): Promise<void> {
  const { status, output } = await runProgram(command, args);
  if (status !== 0) throw new ScriptError(`${command} failed (apt-get install openssh-client): ${output.trim()}`);
}
