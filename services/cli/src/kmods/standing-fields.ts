/** Of every answer that lists hosts by what they have. */
export const STANDING_FIELDS = [
  'counts',
  'lastSeen',
  'selectorUnknown',
  'coverage',
  'asOf',
  'items',
  'nextCursor',
  'freeze',
] as const;
