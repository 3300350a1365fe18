/** Port of an address as listeners say it: "127.0.0.1:7781", "[::1]:7781". */
export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
