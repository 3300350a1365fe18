/** sshd takes no more sockets to listen on (MAX_LISTEN_SOCKS, compiled in): so many hosts share one. */
export const HOSTS_PER_SSHD = 16;

/** An address for each host, beside those of the simulated hosts (127.77.x.y). 127.0.0.0/8 is all loopback on Linux. */
export function sshAddress(number: number): string {
  return `127.78.${Math.floor(number / 250)}.${(number % 250) + 1}`;
}

/** The addresses of each sshd. */
export function addressGroups(hosts: number): string[][] {
  const groups: string[][] = [];
  for (let number = 0; number < hosts; number += 1) {
    if (number % HOSTS_PER_SSHD === 0) groups.push([]);
    groups.at(-1)?.push(sshAddress(number));
  }
  return groups;
}

export interface SshSettings {
  readonly folder: string;
  readonly port: number;
  readonly user: string;
}

/**
 * Debian's sshd with little that costs time: no PAM, no login records to look through. A fleet's own have a core each and all of that.
 * MaxStartups would drop connections at random from the tenth unfinished one on, and here many hosts share what each has for itself elsewhere.
 */
export function sshdConfig({ folder, port, user }: SshSettings, addresses: readonly string[]): string {
  return lines(
    `Port ${port}`,
    ...addresses.map((address) => `ListenAddress ${address}`),
    `HostKey ${folder}/host-key`,
    `AuthorizedKeysFile ${folder}/user-key.pub`,
    // The folder is below /tmp, which others may write to; nobody else may enter it.
    'StrictModes no',
    `AllowUsers ${user}`,
    'AuthenticationMethods publickey',
    'PermitRootLogin prohibit-password',
    'PermitUserRC no',
    // bash reads ~/.bashrc when sshd starts it. What this user has there may take longer than the question; a fleet's hosts have Debian's.
    `SetEnv HOME=${folder}/home`,
    'UsePAM no',
    'UseDNS no',
    'PrintMotd no',
    'PrintLastLog no',
    'MaxStartups 1000',
    'MaxSessions 100',
    'PidFile none',
    'LogLevel ERROR',
  );
}

/**
 * The key exchange of Debian 12's ssh (sntrup761, against quantum computers to come) costs its client a tenth of a second of processor time, this one a
 * hundredth: who asks many hosts with ssh and cares for time sets it.
 */
const QUICK_EXCHANGE = '  KexAlgorithms curve25519-sha256';

/** For every client alike: one key, one host key that all know, nothing of the user's own. */
export function sshClientConfig({ folder, port, user }: SshSettings, { isTuned }: { isTuned: boolean }): string {
  return lines(
    'Host *',
    ...(isTuned ? [QUICK_EXCHANGE] : []),
    `  Port ${port}`,
    `  User ${user}`,
    `  IdentityFile ${folder}/user-key`,
    '  IdentitiesOnly yes',
    '  IdentityAgent none',
    '  BatchMode yes',
    `  UserKnownHostsFile ${folder}/known-hosts`,
    '  GlobalKnownHostsFile none',
    '  StrictHostKeyChecking yes',
    `  HostKeyAlias ${HOST_KEY_ALIAS}`,
    '  LogLevel ERROR',
  );
}

const HOST_KEY_ALIAS = 'modfleet-bench';

export function knownHosts(hostPublicKey: string): string {
  const [type, key] = hostPublicKey.split(' ');
  return lines(`${HOST_KEY_ALIAS} ${type} ${key}`);
}

/**
 * As those set it who use it for many hosts: pipelining, the interpreter named, forks, the quick key exchange. Connections are kept for longer than
 * ansible's own minute: on a busy machine a run takes that long, and the next would find the first ones gone.
 */
export function ansibleConfig(folder: string, forks: number): string {
  return lines(
    '[defaults]',
    `inventory = ${folder}/inventory`,
    `forks = ${forks}`,
    `local_tmp = ${folder}/ansible/tmp`,
    `remote_tmp = ${folder}/ansible/remote-tmp`,
    'interpreter_python = /usr/bin/python3',
    'nocows = true',
    '[connection]',
    'pipelining = true',
    '[ssh_connection]',
    `ssh_args = -F ${folder}/ssh-config-tuned -C -o ControlMaster=auto -o ControlPersist=10m`,
    `control_path_dir = ${folder}/kept`,
  );
}

function lines(...all: string[]): string {
  return `${all.join('\n')}\n`;
}
