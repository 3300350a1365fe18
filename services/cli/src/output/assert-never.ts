/** Ends a switch over a union: a case without a branch does not compile. A newer server may still send a word that is not known here. */
export function assertNever(value: never): never {
  throw new Error(
    `the server said ${JSON.stringify(value)}, which this version of the command does not know; update it`,
  );
}
