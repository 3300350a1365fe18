/**
 * The kind of a ReloadPath that is none: something could not be read, so nobody knows whether there are more ways back. Its value says what. A kmod with
 * such a path is never said to be unable to return.
 */
export const UNKNOWN_PATH = 'unknown';

/** Ways that were seen, apart from reasons why there may be more. */
export function splitPaths<P extends { readonly kind: string; readonly value: string }>(
  paths: readonly P[],
): { readonly seen: readonly P[]; readonly unknown: readonly string[] } {
  return {
    seen: paths.filter((path) => path.kind !== UNKNOWN_PATH),
    unknown: paths.filter((path) => path.kind === UNKNOWN_PATH).map((path) => path.value),
  };
}
