import { close, constants, fchmod, open } from 'node:fs';
import { promisify } from 'node:util';
import { codeOf, messageOf } from '../error-words.ts';
import type { Exec } from './exec.ts';

/*
 * A lock on a file, for work that only one process may do at a time. Node.js has no flock(2), so flock(1) takes it, and `cat` behind it holds it:
 * what is written to the pipe comes back when the lock is held, and `cat` ends with the pipe.
 *
 * INVARIANTS
 * - Who cannot open the file cannot take the lock: it lies in a folder of its owner alone, and has mode 0600. (An abstract socket of a name that
 *   can be computed is anybody's.)
 * - The kernel closes the pipe when this process dies, however it dies; nothing is left but an empty file.
 * - "Taken" is said only when flock(1) said so, by exit code 1 and no echo, of a file that this process had just opened.
 */

/** Two programs start; emulated and loaded hosts take seconds. */
const ANSWER_LIMIT_MS = 20_000;

/** What flock(1) says when another has the lock; busybox says the same. */
const TAKEN_CODE = 1;

const HELD = 'held';

/** A lock that is held. */
export interface FileLock {
  /** Called once when it is lost without having been released: somebody ended its programs. */
  onLost(listener: () => void): void;
  /** Resolves when it is free again. */
  release(): Promise<void>;
}

export type LockAnswer =
  | { readonly kind: 'held'; readonly lock: FileLock }
  /** Another process has it. */
  | { readonly kind: 'taken' }
  /** It cannot be told: no flock(1), or no file. */
  | { readonly kind: 'impossible'; readonly reason: string };

/** Takes the lock of a file (`NAME.lock`) in a folder that is there, or says why not. Never rejects. */
export async function lockFile(exec: Exec, file: string): Promise<LockAnswer> {
  try {
    await makeLockFile(file);
  } catch (error) {
    return { kind: 'impossible', reason: `${file} cannot be locked: ${messageOf(error)}` };
  }
  return new Promise((resolve) => {
    const program = exec.stream('flock', ['-n', file, 'cat'], { stdin: 'pipe' });
    let isHeld = false;
    let isReleased = false;
    let end: () => void = () => undefined;
    const ended = new Promise<void>((settle) => (end = settle));
    const lostListeners: (() => void)[] = [];
    const timer = setTimeout(() => {
      program.stop();
      resolve({ kind: 'impossible', reason: `flock gave no answer within ${ANSWER_LIMIT_MS / 1000} s` });
    }, ANSWER_LIMIT_MS);
    program.onLine(() => {
      if (isHeld) return;
      isHeld = true;
      clearTimeout(timer);
      resolve({
        kind: 'held',
        lock: {
          onLost: (listener) => void lostListeners.push(listener),
          release: () => {
            isReleased = true;
            program.close();
            return ended;
          },
        },
      });
    });
    program.onEnd((why, code) => {
      clearTimeout(timer);
      end();
      if (isHeld && !isReleased) for (const listener of lostListeners) listener();
      if (!isHeld) resolve(code === TAKEN_CODE ? { kind: 'taken' } : { kind: 'impossible', reason: why });
    });
    program.say(HELD);
  });
}

/** On a file system that has become read-only the file that is there does: flock(2) asks for no right to write. */
async function makeLockFile(file: string): Promise<void> {
  const { O_RDONLY, O_CREAT, O_NOFOLLOW } = constants;
  const handle = await promisify(open)(file, O_RDONLY | O_CREAT | O_NOFOLLOW, 0o600);
  try {
    await promisify(fchmod)(handle, 0o600);
  } catch (error) {
    if (codeOf(error) !== 'EROFS') throw error;
  } finally {
    await promisify(close)(handle);
  }
}
