import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { repository } from '../../scripts/lib/paths.ts';
import type { MeasuredServer } from '../fleet/measured-server.ts';
import { ansibleAnswers, prefixedAnswers, shellQuestion, tableAnswers } from './answers.ts';
import type { SshHosts } from './ssh-hosts.ts';
import type { Command } from './timed-run.ts';

const MODFLEET = join(repository, 'services/cli/bin/modfleet.js');
/** Rows on one page; without it the answer of 200 hosts would stop at 100. */
const ROWS = '1000';

/** The same hosts, reachable both ways. */
export interface BothWays {
  readonly ssh: SshHosts;
  readonly server: MeasuredServer;
  readonly kmod: string;
}

/** A way to ask all hosts. */
export interface Tool {
  readonly name: string;
  /** Debian's package that brings it; ours is here. */
  readonly debian?: { readonly program: string; readonly package: string };
  readonly way: 'ssh' | 'modfleet';
  /** Takes many seconds a run: is run less often. */
  readonly isSlow?: boolean;
  /** Of the connections that a former run has left open. */
  readonly kept?: 'closed before' | 'used';
  readonly command: (ways: BothWays) => Command;
  readonly answers: (stdout: string) => number;
}

const CLUSH = { program: 'clush', package: 'clustershell' };
const PDSH = { program: 'pdsh', package: 'pdsh' };
const ANSIBLE = { program: 'ansible', package: 'ansible-core' };

/** As installed, asking 64 hosts at a time or 32; and with what makes them quickest: all hosts at a time, the quick key exchange. */
export const TOOLS: readonly Tool[] = [
  modfleet('modfleet, stored answer'),
  modfleet('modfleet, asked live', '--live'),
  clush('clush', { isTuned: false }),
  clush('clush, tuned', { isTuned: true }),
  pdsh('pdsh', { isTuned: false }),
  pdsh('pdsh, tuned', { isTuned: true }),
  ansible('ansible, tuned', 'closed before'),
  ansible('ansible, tuned, connections kept', 'used'),
];

/** Why it cannot be measured here, or undefined. */
export function missing({ debian }: Tool): string | undefined {
  if (debian === undefined || isOnPath(debian.program)) return undefined;
  return `not measured, no ${debian.program}: apt-get install --no-install-recommends ${debian.package}`;
}

function modfleet(name: string, ...more: string[]): Tool {
  return {
    name,
    way: 'modfleet',
    command: ({ server: { fleet }, kmod }) => ({
      program: process.execPath,
      args: [MODFLEET, 'kmods', 'hosts', kmod, '--limit', ROWS, ...more],
      env: {
        ...process.env,
        MODFLEET_URL: fleet.http,
        MODFLEET_TOKEN: fleet.token,
        HOME: fleet.folder,
        NO_COLOR: '1',
      },
    }),
    answers: tableAnswers,
  };
}

function clush(name: string, { isTuned }: { isTuned: boolean }): Tool {
  return {
    name,
    debian: CLUSH,
    way: 'ssh',
    isSlow: !isTuned,
    command: ({ ssh, kmod }) => ({
      program: CLUSH.program,
      args: [
        ...fanOut(ssh, isTuned),
        '-o',
        sshOptions(ssh, isTuned),
        '-w',
        ssh.addresses.join(','),
        shellQuestion(kmod),
      ],
      env: { ...process.env, HOME: ssh.folder },
    }),
    answers: prefixedAnswers,
  };
}

function pdsh(name: string, { isTuned }: { isTuned: boolean }): Tool {
  return {
    name,
    debian: PDSH,
    way: 'ssh',
    isSlow: !isTuned,
    command: ({ ssh, kmod }) => ({
      program: PDSH.program,
      args: ['-R', 'ssh', ...fanOut(ssh, isTuned), '-w', ssh.addresses.join(','), shellQuestion(kmod)],
      env: { ...process.env, HOME: ssh.folder, PDSH_SSH_ARGS_APPEND: sshOptions(ssh, isTuned) },
    }),
    answers: prefixedAnswers,
  };
}

function ansible(name: string, kept: Tool['kept']): Tool {
  return {
    name,
    debian: ANSIBLE,
    way: 'ssh',
    isSlow: true,
    ...(kept === undefined ? {} : { kept }),
    command: ({ ssh, kmod }) => ({
      program: ANSIBLE.program,
      args: ['all', '-m', 'shell', '-a', shellQuestion(kmod)],
      env: {
        ...process.env,
        HOME: ssh.folder,
        ANSIBLE_CONFIG: join(ssh.folder, 'ansible.cfg'),
        ANSIBLE_HOME: join(ssh.folder, 'ansible'),
        ANSIBLE_NOCOLOR: '1',
        // It stops where the locale is not UTF-8.
        LC_ALL: 'C.UTF-8',
      },
    }),
    answers: ansibleAnswers,
  };
}

function fanOut({ addresses }: SshHosts, isTuned: boolean): string[] {
  return isTuned ? ['-f', String(addresses.length)] : [];
}

function sshOptions({ folder }: SshHosts, isTuned: boolean): string {
  return `-F ${join(folder, isTuned ? 'ssh-config-tuned' : 'ssh-config')}`;
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
