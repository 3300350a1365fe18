import { hostName } from '../command-line/values.ts';
import { usageError } from '../errors/cli-error.ts';

/** Hosts and labels told apart. */
export interface LabelWords {
  readonly hosts: string[];
  /** null removes. */
  readonly labels: Record<string, string | null>;
}

const KEY = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

/** `web-1 web-2 env=prod old-`: what has a "=" sets a label, what ends in "-" removes one, everything else is a host. */
export function labelWords(words: readonly string[]): LabelWords {
  const hosts: string[] = [];
  const labels: Record<string, string | null> = {};
  for (const word of words) {
    const at = word.indexOf('=');
    if (at >= 0) setLabel(labels, word.slice(0, at), word.slice(at + 1));
    else if (word.endsWith('-')) setLabel(labels, word.slice(0, -1), null);
    else hosts.push(hostName(word));
  }
  if (Object.keys(labels).length === 0)
    throw usageError(
      'no label is given',
      'to set one: modfleet hosts label HOST env=prod',
      'to remove one: modfleet hosts label HOST env-',
    );
  return { hosts, labels };
}

function setLabel(labels: Record<string, string | null>, key: string, value: string | null): void {
  if (!KEY.test(key))
    throw usageError(
      `${JSON.stringify(key)} is no label key: it has at most 63 letters, digits, "_", "." and "-", and begins and ends with a letter or digit`,
    );
  if (value !== null && !VALUE.test(value))
    throw usageError(
      `${JSON.stringify(value)} is no label value: it has at most 63 letters, digits, "_", "." and "-", and begins and ends with a letter or digit`,
    );
  if (Object.hasOwn(labels, key)) throw usageError(`label ${key} is given twice`);
  labels[key] = value;
}
