import { encodeFacet, Facet } from '@modfleet/proto';
import { runSelf } from '../exec/self-exec.ts';
import type { HostFiles } from '../host/host-files.ts';
import { whyUnreadable } from '../host/read-outcome.ts';
import { readKmodNames, type KmodNames } from '../kmod/kmod-index.ts';
import { findModulesFolder, readKernelRelease } from '../kmod/modules-dir.ts';
import { PROC_MODULES } from '../kmod/proc-modules.ts';
import { collectAvailable } from './available-collect.ts';
import { availableDigest, indexStamp } from './available-digest.ts';
import { containerKind } from './host-kind.ts';

/** Gives the canonical bytes of the whole facet. */
export type CollectAvailable = (release: string) => Promise<Uint8Array>;

/** What one look at the tree of the running kernel gave. */
export type AvailableLook =
  | {
      readonly kind: 'value';
      readonly digest: Uint8Array;
      readonly names: KmodNames;
      readonly bytes: () => Promise<Uint8Array>;
    }
  | { readonly kind: 'incapable'; readonly reason: string };

/** A full kernel takes 5 s of CPU on a real machine, twenty times that on an emulated one, at the lowest priority. */
const COLLECT_TIMEOUT_MS = 15 * 60_000;

/** A full kernel is 2.6 MB. */
const COLLECT_MAX_BYTES = 64 * 1024 * 1024;

/** Collects in a short-lived process of the agent itself, whose memory goes with it. */
export function collectInChild(root: string, command: string): CollectAvailable {
  return (release) =>
    runSelf([command, '--root', root, '--release', release], {
      timeoutMs: COLLECT_TIMEOUT_MS,
      maxBytes: COLLECT_MAX_BYTES,
    });
}

/** Collects in this process: for commands that end soon, and for tests. */
export function collectHere(files: HostFiles): CollectAvailable {
  return async (release) => {
    const collected = await collectAvailable(files, release);
    if (collected.kind !== 'ok') throw new Error(whyUnreadable(`the index of kernel ${release}`, collected));
    return encodeFacet(Facet.FACET_AVAILABLE, collected.value);
  };
}

/** Observes the facet `available`: the digest always, the content only when asked for. */
export class AvailableObserver {
  readonly #files: HostFiles;
  readonly #collect: CollectAvailable;
  #known: { readonly stamp: string; readonly look: Extract<AvailableLook, { kind: 'value' }> } | undefined;

  constructor(files: HostFiles, collect: CollectAvailable) {
    this.#files = files;
    this.#collect = collect;
  }

  /** The digest is made again only when depmod wrote its index again. */
  async look(): Promise<AvailableLook> {
    const release = await readKernelRelease(this.#files);
    if (release.kind !== 'ok') return incapable(whyUnreadable('/proc/sys/kernel/osrelease', release));
    const folder = await findModulesFolder(this.#files, release.value);
    if (folder.kind !== 'ok') return incapable(await this.#whyNoFolder(release.value, folder));
    const stamp = `${folder.value} ${await indexStamp(this.#files, folder.value)}`;
    if (this.#known?.stamp === stamp) return this.#known.look;
    this.#known = undefined;
    const names = await readKmodNames(this.#files, release.value);
    if (names.kind !== 'ok')
      return incapable(`${whyUnreadable(`modules.dep or modules.builtin in ${folder.value}`, names)}: run depmod`);
    const digest = await availableDigest(this.#files, release.value, folder.value);
    if (digest.kind !== 'ok') return incapable(whyUnreadable(`the index in ${folder.value}`, digest));
    const look = {
      kind: 'value',
      digest: digest.value,
      names: names.value,
      bytes: singleFlight(() => this.#collect(release.value)),
    } as const;
    this.#known = { stamp, look };
    return look;
  }

  async #whyNoFolder(release: string, folder: Parameters<typeof whyUnreadable>[1]): Promise<string> {
    const missing = whyUnreadable(`/lib/modules/${release}`, folder);
    if ((await this.#files.stat(PROC_MODULES)).kind === 'not_found')
      return `this kernel has no loadable kmods, and ${missing}`;
    const container = await containerKind(this.#files);
    return container === undefined
      ? missing
      : `${missing}: the agent runs in a container (${container}); mount the host's /lib/modules`;
  }
}

function incapable(reason: string): AvailableLook {
  return { kind: 'incapable', reason };
}

/** Two who ask at the same time share one run; its result is not kept. */
function singleFlight<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= work().finally(() => (running = undefined));
    return running;
  };
}
