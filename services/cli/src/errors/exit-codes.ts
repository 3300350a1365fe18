/** The exit codes of every command (help topic `exit-codes`). Fixed: scripts rely on them. */
export const EXIT = {
  ok: 0,
  negative: 1,
  usage: 2,
  notFound: 3,
  auth: 4,
  unreachable: 5,
  conflict: 6,
  timeout: 7,
  incomplete: 8,
  /** 128 + SIGINT, as shells count. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
