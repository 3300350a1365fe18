/** The bus did not take a message just now. What it would have woken is found by a sweep; it heals itself. */
export class BusUnavailableError extends Error {
  readonly code = 'bus_unavailable';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BusUnavailableError';
  }
}
