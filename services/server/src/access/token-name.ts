/** Names of tokens are shown in lists: a tab or newline would break their lines, an escape what a terminal shows, an invisible letter who reads it. */
export const TOKEN_NAME = /^\P{C}+$/u;
