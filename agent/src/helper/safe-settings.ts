import { lstat, open } from 'node:fs/promises';
import path from 'node:path';
import { type AgentConfig, DEFAULT_CONFIG_PATH } from '../config/agent-config.ts';
import { ConfigError, parseConfig } from '../config/load-config.ts';
import { codeOf, messageOf } from '../error-words.ts';
import { HelperRefusal } from './helper-refusal.ts';

/** Owner and mode of a file or folder. */
interface Ownership {
  readonly uid: number;
  readonly mode: number;
}

const GROUP_OR_OTHERS_WRITE = 0o022;

/** A settings file is a page; more is a mistake. */
const MAX_BYTES = 1024 * 1024;

/**
 * The settings, read by the helper itself: host policy is the host's last word, so whoever else could write the file could change it. Its owner
 * (and that of its folder) must be root or the helper's own user, and nobody else may write. Without a file at the default place: the defaults
 * (mode observe).
 *
 * @throws HelperRefusal
 */
export async function readSafeSettings(given: string | undefined, euid: number): Promise<AgentConfig> {
  const file = given ?? DEFAULT_CONFIG_PATH;
  let text: string;
  try {
    const handle = await open(file, 'r');
    try {
      // Asked of what was opened, not of its name: between the two a name can change.
      const stat = await handle.stat();
      refuseUnsafe(file, stat, euid);
      refuseUnsafe(path.dirname(file), await lstat(path.dirname(file)), euid);
      if (stat.size > MAX_BYTES) throw unsafe(`${file} is ${stat.size} bytes long`);
      text = await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof HelperRefusal) throw error;
    if (given === undefined && codeOf(error) === 'ENOENT') return parseConfig('', file);
    throw unsafe(`${file} cannot be read: ${messageOf(error)}`);
  }
  try {
    return parseConfig(text, file);
  } catch (error) {
    if (error instanceof ConfigError) throw unsafe(error.message);
    throw error;
  }
}

/** Why nobody but root and this user may have written here; undefined when so. Pure. */
export function whyUnsafe({ uid, mode }: Ownership, euid: number): string | undefined {
  if (uid !== 0 && uid !== euid) return `belongs to user ${uid}: its owner must be root`;
  if ((mode & GROUP_OR_OTHERS_WRITE) !== 0) return 'can be written by others than its owner: chmod go-w mends it';
  return undefined;
}

/** Only who may change kmods needs to know who may change its orders: anyone's own test folder is good enough for looking. */
function refuseUnsafe(file: string, ownership: Ownership, euid: number): void {
  const why = euid === 0 ? whyUnsafe(ownership, euid) : undefined;
  if (why !== undefined) throw unsafe(`${file} ${why}`);
}

function unsafe(message: string): HelperRefusal {
  return new HelperRefusal('unsafe_settings', `the helper does nothing: ${message}`);
}
