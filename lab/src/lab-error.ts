/** Something that the lab could not do. The message names the thing and the way out; `logFile` is what to read, if anything. */
export class LabError extends Error {
  override readonly name = 'LabError';
  readonly logFile: string | undefined;

  constructor(message: string, options: { logFile?: string; cause?: unknown } = {}) {
    super(options.logFile === undefined ? message : `${message} (log: ${options.logFile})`, { cause: options.cause });
    this.logFile = options.logFile;
  }
}
