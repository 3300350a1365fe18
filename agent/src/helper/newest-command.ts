import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ActionRequest, isAsSigned, SIGNATURE_BYTES } from '@modfleet/proto';
import { codeOf, messageOf } from '../error-words.ts';
import { removeDrafts, writeFileAtomically } from '../identity/atomic-file.ts';
import { HelperRefusal } from './helper-refusal.ts';
import { complaintAboutRequest } from './verify/request-grammar.ts';

/**
 * The newest command that this host has taken, apart from the journal: a journal that is lost or moved away does not make old commands new. Whole
 * and signed, so that a server whose database was put back can see for itself what it once asked.
 */
export interface NewestCommand {
  /** Undefined before the first. */
  get(): ActionRequest | undefined;
  /** Survives a crash when it resolves. Rejects when it cannot be kept; then nothing of the command may begin. */
  keep(request: ActionRequest): Promise<void>;
}

/** In the helper's state folder; JSON, so that a person can read it. */
export const NEWEST_COMMAND_FILE = 'newest-command.json';

/**
 * On disk.
 *
 * INVARIANTS
 * - The file is replaced whole: whenever the helper, or the machine, ends, it holds the last command that was kept or the one that was being kept.
 * - What is read is what the server signed, to the letter: a file that says another number than was signed is damaged, not older.
 * - A damaged file is not mended here, and nothing is taken before a person has moved it away.
 */
export class FileNewestCommand implements NewestCommand {
  readonly #file: string;
  #newest: ActionRequest | undefined;

  private constructor(file: string, newest: ActionRequest | undefined) {
    this.#file = file;
    this.#newest = newest;
  }

  /** @throws HelperRefusal when it is there and cannot be read: then nobody knows which commands are old */
  static async open(stateDir: string): Promise<FileNewestCommand> {
    const file = path.join(stateDir, NEWEST_COMMAND_FILE);
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return new FileNewestCommand(file, undefined);
      throw new HelperRefusal('failed', `${file} cannot be read: ${messageOf(error)}`);
    }
    const newest = parse(text);
    if (newest === undefined) {
      throw new HelperRefusal(
        'failed',
        `${file} is damaged: look at it, and move it away when you know that no old command of this host is still on its way`,
      );
    }
    return new FileNewestCommand(file, newest);
  }

  /** As `open`, for the one helper that keeps: what helpers before it left when they were killed is cleared away. @throws HelperRefusal */
  static async openToKeep(stateDir: string): Promise<FileNewestCommand> {
    const store = await FileNewestCommand.open(stateDir);
    // A disk that takes no removal is not a reason to take nothing: the next `keep` tells.
    await removeDrafts(store.#file).catch(() => undefined);
    return store;
  }

  get(): ActionRequest | undefined {
    return this.#newest;
  }

  async keep(request: ActionRequest): Promise<void> {
    const kept = { ...request, sentBefore: undefined };
    await writeFileAtomically(this.#file, `${JSON.stringify(ActionRequest.toJSON(kept), null, 2)}\n`, 'self');
    this.#newest = kept;
  }
}

function parse(text: string): ActionRequest | undefined {
  try {
    const request = ActionRequest.fromJSON(JSON.parse(text));
    const isWhole =
      complaintAboutRequest(request) === undefined &&
      request.epoch >= 1 &&
      request.sequence >= 1 &&
      request.signature.length === SIGNATURE_BYTES &&
      isAsSigned(request);
    return isWhole ? request : undefined;
  } catch {
    return undefined;
  }
}
