/** One sentence with the way out for what a start commonly meets on a machine; undefined for anything else. */
export function startProblem(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, port, address, path } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  const where = path ?? 'its state folder';
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port ?? '?'} of ${address ?? 'this machine'} is in use: stop what listens there, or set another one (MODFLEET_HTTP_LISTEN, MODFLEET_SESSION_LISTEN, MODFLEET_IDENTITY_LISTEN).`;
    case 'EADDRNOTAVAIL':
      return `This machine has no address ${address ?? ''} to listen on: set another one (MODFLEET_HTTP_LISTEN, MODFLEET_SESSION_LISTEN, MODFLEET_IDENTITY_LISTEN).`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `The disk that holds ${where} is full: free some space, or set MODFLEET_STATE_DIR to another folder.`;
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return port === undefined
        ? `modfleet-server may not write ${where}: give it to the user that runs the server, or set MODFLEET_STATE_DIR to another folder.`
        : `Only root may listen on port ${port}: set a port from 1024 on.`;
    default:
      return startProblem(error.cause);
  }
}
