import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository } from './fleet.ts';
import { type CommandEnd, runCommand } from './processes.ts';
import { eventually } from './wait.ts';

/** docker-compose.yml, run for real under a project name of its own, with secrets of its own. */
export class ComposeProject {
  readonly folder = mkdtempSync(join(tmpdir(), 'modfleet-compose-'));
  readonly name: string;
  readonly env: NodeJS.ProcessEnv = { ...process.env, DOCKER_BUILDKIT: '0' };
  readonly #profiles: readonly string[];
  #command: readonly string[] = ['docker-compose'];

  /** @param kind tells projects of one run apart. */
  constructor(kind: string, profiles: readonly string[] = []) {
    this.name = `modfleet-test-${kind}${process.pid}`;
    this.#profiles = profiles.flatMap((profile) => ['--profile', profile]);
  }

  /** Finds out how compose is called here. */
  async prepare(): Promise<void> {
    if ((await runCommand('docker-compose', ['version']).catch(() => ({ code: 1 }))).code !== 0)
      this.#command = ['docker', 'compose'];
  }

  /** A secret's file, readable by containers. @returns its path. */
  secret(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode: 0o444 });
    return path;
  }

  compose(...args: string[]): Promise<CommandEnd> {
    return this.with({}, ...args);
  }

  /** With other settings. @param project another project's name. */
  with(settings: NodeJS.ProcessEnv, ...args: string[]): Promise<CommandEnd> {
    return this.as(this.name, settings, ...args);
  }

  as(project: string, settings: NodeJS.ProcessEnv, ...args: string[]): Promise<CommandEnd> {
    const [command = 'docker-compose', ...first] = this.#command;
    const file = join(repository, 'docker-compose.yml');
    return runCommand(command, [...first, ...this.#profiles, '-p', project, '-f', file, ...args], {
      env: { ...this.env, ...settings },
      cwd: repository,
    });
  }

  async container(service: string): Promise<string> {
    return (await must(this.compose('ps', '-a', '-q', service))).trim();
  }

  async inspect(service: string, format: string): Promise<string> {
    return (await must(runCommand('docker', ['inspect', '--format', format, await this.container(service)]))).trim();
  }

  async healthy(service: string, limitMs = 120_000): Promise<void> {
    await eventually(
      `${service} is healthy`,
      async () => ((await this.inspect(service, '{{.State.Health.Status}}')) === 'healthy' ? true : undefined),
      limitMs,
    );
  }

  /** Runs `modfleet ARGS` with the admin token that a server's container has. */
  async cli(server: string, settings: { url: string; caFile: string }, ...args: string[]): Promise<CommandEnd> {
    const token = (await must(this.compose('exec', '-T', server, 'cat', '/var/lib/modfleet/admin-token'))).trim();
    return runCommand(process.execPath, [join(repository, 'services/cli/bin/modfleet.js'), ...args], {
      env: {
        ...process.env,
        HOME: this.folder,
        MODFLEET_URL: settings.url,
        MODFLEET_TOKEN: token,
        MODFLEET_CA_FILE: settings.caFile,
      },
    });
  }

  async down(...profiles: string[]): Promise<void> {
    await this.compose(
      ...profiles.flatMap((profile) => ['--profile', profile]),
      'down',
      '--volumes',
      '--timeout',
      '10',
    );
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What it printed. @throws when it failed, with the end of what it said. */
export async function must(end: Promise<CommandEnd>): Promise<string> {
  const { code, stdout, stderr } = await end;
  if (code !== 0) throw new Error(`status ${code}: ${stdout.slice(-2000)}${stderr.slice(-4000)}`);
  return stdout;
}
