/** A facet's value has no canonical form, or bytes are not in it. */
export class FacetEncodingError extends Error {
  readonly code = 'facet_encoding_invalid';
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'FacetEncodingError';
  }
}

/** A delta does not fit the value that it is applied to: the whole is needed. */
export class FacetDeltaError extends Error {
  readonly code = 'facet_delta_mismatch';
  constructor(reason: string) {
    super(reason);
    this.name = 'FacetDeltaError';
  }
}
