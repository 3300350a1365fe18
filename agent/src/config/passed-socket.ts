/** Where the sockets that systemd passes begin (sd_listen_fds(3): SD_LISTEN_FDS_START). */
const FIRST = 3;

/** The part of the environment in which systemd says what it passes. */
export type PassedSockets = Readonly<Partial<Record<'LISTEN_PID' | 'LISTEN_FDS' | 'LISTEN_FDNAMES', string>>>;

/**
 * File number of the socket that systemd passed to this process under a name (FileDescriptorName= of its unit); undefined when there is none.
 * sd_listen_fds_with_names(3).
 */
export function passedSocket(
  name: string,
  environment: PassedSockets = process.env,
  pid: number = process.pid,
): number | undefined {
  if (environment.LISTEN_PID !== String(pid)) return undefined;
  const at = (environment.LISTEN_FDNAMES ?? '').split(':').indexOf(name);
  return at >= 0 && at < Number(environment.LISTEN_FDS) ? FIRST + at : undefined;
}
