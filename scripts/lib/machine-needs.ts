import { runProgram } from './program.ts';

/** Why container tests cannot run here, or undefined. */
export async function dockerMissing(): Promise<string | undefined> {
  const end = await runProgram('docker', ['info', '--format', '{{.ServerVersion}}']);
  return end.status === 0 ? undefined : 'no Docker engine answers (docker info)';
}

/** Why tests over a real NATS server cannot run here, or undefined. */
export async function natsMissing(): Promise<string | undefined> {
  const end = await runProgram('nats-server', ['--version']);
  return end.status === 0 ? undefined : 'no nats-server (Debian: apt-get install nats-server)';
}

/** Why the compose file cannot be run here, or undefined. */
export async function composeMissing(): Promise<string | undefined> {
  const engine = await dockerMissing();
  if (engine !== undefined) return engine;
  const found = await Promise.all([
    runProgram('docker-compose', ['version']),
    runProgram('docker', ['compose', 'version']),
  ]);
  return found.some((end) => end.status === 0) ? undefined : 'no docker-compose and no docker compose';
}

/** Why lab hosts cannot be booted here, or undefined. */
export async function labMissing(): Promise<string | undefined> {
  const { checkPrerequisites } = await import('../../lab/src/prerequisites.ts');
  const found = await checkPrerequisites();
  return found.ok ? undefined : found.hint;
}

/** Why network namespaces with a line between them (tests/e2e/support/bad-line) cannot be made here, or undefined. */
export async function namespacesMissing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'network namespaces are made by root alone';
  const compiler = await runProgram('gcc', ['--version']);
  if (compiler.status !== 0) return 'no gcc (Debian: apt-get install gcc)';
  const probe = `modfleet-probe-${process.pid}`;
  const made = await runProgram('ip', ['netns', 'add', probe]);
  if (made.status !== 0) return `no network namespace can be made: ${made.output.trim() || 'no ip (iproute2)'}`;
  const tun = await runProgram('ip', ['-n', probe, 'tuntap', 'add', 'dev', 'probe0', 'mode', 'tun']);
  await runProgram('ip', ['netns', 'delete', probe]);
  return tun.status === 0 ? undefined : `no TUN device can be made: ${tun.output.trim()}`;
}
