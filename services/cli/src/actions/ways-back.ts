import type { AnyAction } from './outcome.ts';

type Path = NonNullable<AnyAction['result']>['reloadPaths'][number];

/** Ways back that the host saw, apart from what it could not read, for which there may be more (docs/outcomes.md). */
export function waysBack(paths: readonly Path[]): {
  readonly seen: readonly Path[];
  readonly unknown: readonly string[];
} {
  return {
    seen: paths.filter((path) => path.kind !== 'unknown'),
    unknown: paths.filter((path) => path.kind === 'unknown').map((path) => path.value),
  };
}

/** Of an action that says it can return: whether a way was seen, or only nobody knows. */
export function isReturnSeen({ result }: AnyAction): boolean {
  return waysBack(result?.reloadPaths ?? []).seen.length > 0;
}
