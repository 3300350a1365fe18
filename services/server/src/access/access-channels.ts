/** Told to every replica after a change of rights: what it remembers of tokens is read anew. */
export const ACCESS_CHANNEL = 'access';
/** Told to every replica when a token was made, with its SHA-256 in hex: who shows it is no guesser, whatever else comes from that address. */
export const MADE_CHANNEL = 'access-made';
