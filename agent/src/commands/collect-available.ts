import { setPriority, constants } from 'node:os';
import type { Writable } from 'node:stream';
import { encodeFacet, Facet } from '@modfleet/proto';
import { collectAvailable } from '../facets/available-collect.ts';
import { FsHostFiles } from '../host/fs-host-files.ts';
import { whyUnreadable } from '../host/read-outcome.ts';

/** The hidden subcommand by which the agent collects the facet `available` in a process of its own. */
export const COLLECT_AVAILABLE_COMMAND = 'collect-available';

/** What it needs to know. */
export interface CollectAvailableOptions {
  readonly root: string;
  readonly release: string;
  readonly stdout: Writable;
}

/**
 * Writes the canonical bytes of the facet to stdout, at the lowest priority: nobody is in a hurry. An agent that is killed cannot stop it, so
 * it stops by itself: the agents that follow start one each, and on a slow host they would pile up.
 *
 * @throws Error when the release has no readable index, or whoever started this is gone.
 */
export async function collectAvailableCommand(options: CollectAvailableOptions): Promise<void> {
  setPriority(0, constants.priority.PRIORITY_LOW);
  const startedBy = process.ppid;
  const isWanted = (): boolean => process.ppid === startedBy;
  const collected = await collectAvailable(new FsHostFiles(options.root), options.release, isWanted);
  if (collected.kind !== 'ok') throw new Error(whyUnreadable(`the index of kernel ${options.release}`, collected));
  const bytes = encodeFacet(Facet.FACET_AVAILABLE, collected.value);
  await new Promise<void>((resolve, reject) =>
    options.stdout.write(bytes, (error) => (error ? reject(error) : resolve())),
  );
}
