/** Why the helper takes nothing on a connection. The code goes to the courier: protocol, bad_frame, wrong_host, unsafe_settings, busy, failed. */
export class HelperRefusal extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'HelperRefusal';
    this.code = code;
  }
}
