import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { createServer } from 'node:net';
import { messageOf } from '../error-words.ts';
import { makePrivateFolder } from './atomic-file.ts';
import { IdentityStoreError } from './host-identity.ts';

const PROGRAM = 'modfleet-agent';

/** Keeps other agents away from a state folder until it is released. */
export interface StateLock {
  release(): Promise<void>;
}

/**
 * One resident agent a state folder: two would push each other off the server. The lock is an abstract Unix socket named after the folder (unix(7)): the
 * kernel frees it when the process dies, however it dies, and nothing is left on disk. It holds within one network namespace.
 *
 * It keeps apart two agents, not an agent from an enemy: any user can bind the name. Then the agent does not start, and says so; nothing of an action or a
 * revert rests on it (those have exec/file-lock.ts, which costs two programs for as long as it is held: too much for a process that stays).
 *
 * @throws IdentityStoreError when another agent has it, or the folder cannot be made.
 */
export async function lockState(stateDir: string): Promise<StateLock> {
  const folder = await realFolder(stateDir);
  const name = `\0${PROGRAM}-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`;
  const server = createServer((socket) => socket.destroy());
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const words =
        cause.code === 'EADDRINUSE'
          ? `another ${PROGRAM} already runs with it; stop that one first`
          : `it cannot be locked: ${cause.message}`;
      reject(new IdentityStoreError(`state_dir ${stateDir}: ${words}`, { cause }));
    });
    server.listen(name, resolve);
  });
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

async function realFolder(stateDir: string): Promise<string> {
  try {
    await makePrivateFolder(stateDir);
    return await realpath(stateDir);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new IdentityStoreError(
      `state_dir ${stateDir} cannot be used: ${reason}; the agent needs a writable folder of its own`,
      { cause },
    );
  }
}
