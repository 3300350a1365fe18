/** Nothing that speaks TLS answers there. */
export class ServerUnreachableError extends Error {
  readonly code = 'server_unreachable';
  constructor(host: string, port: number, reason: string, options?: ErrorOptions) {
    super(`cannot reach the server at ${host}:${port}: ${reason}`, options);
    this.name = 'ServerUnreachableError';
  }
}

/** Someone answers, but it is not our server, or dates forbid to trust it. */
export class ServerNotTrustedError extends Error {
  readonly code = 'server_not_trusted';
  readonly why: 'untrusted' | 'dates';
  constructor(why: 'untrusted' | 'dates', message: string) {
    super(message);
    this.why = why;
    this.name = 'ServerNotTrustedError';
  }
}

/** Our server answered, and said no. `status` is the gRPC status code. */
export class IdentityCallError extends Error {
  readonly code = 'identity_call';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
    this.name = 'IdentityCallError';
  }
}

/** The host cannot join with what it has; trying again changes nothing. */
export class JoinRefusedError extends Error {
  readonly code = 'join_refused';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'JoinRefusedError';
  }
}
