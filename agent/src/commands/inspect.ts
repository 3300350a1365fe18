import type { Writable } from 'node:stream';
import { FsHostFiles } from '../host/fs-host-files.ts';
import { observeHost } from './host-report.ts';
import { inspectJson } from './inspect-json.ts';
import { inspectText } from './inspect-text.ts';

/** `modfleet-agent inspect [--root DIR] [--json]`. */
export interface InspectOptions {
  /** Folder of a captured root tree; `/` is this host. */
  readonly root: string;
  readonly json: boolean;
  readonly stdout: Writable;
}

/**
 * Shows every facet as the agent sees it. Returns the exit code: 0, also when facets cannot be told; that is an answer.
 *
 * @throws Error when the root is no folder: its facets would only seem to be missing.
 */
export async function inspectCommand(options: InspectOptions): Promise<number> {
  const files = new FsHostFiles(options.root);
  const root = await files.list('/');
  if (root.kind !== 'ok') throw new Error(`--root ${options.root} is not a folder that can be read`);
  const report = await observeHost(files);
  const text = options.json ? `${JSON.stringify(await inspectJson(report), null, 2)}\n` : inspectText(report);
  await new Promise<void>((resolve, reject) =>
    options.stdout.write(text, (error) => (error ? reject(error) : resolve())),
  );
  return 0;
}
