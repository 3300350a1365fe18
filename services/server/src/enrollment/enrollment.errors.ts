/** Why a machine does not become a host. The message is for the person at that machine, and names no secret. */
export class EnrollmentError extends Error {
  readonly code:
    | 'join_token_invalid'
    | 'join_token_expired'
    | 'join_token_revoked'
    | 'join_token_used_up'
    | 'join_token_seal_broken'
    | 'host_retired'
    | 'csr_invalid'
    | 'facts_invalid';
  constructor(code: EnrollmentError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'EnrollmentError';
    this.code = code;
  }
}
