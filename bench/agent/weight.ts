/** Memory of processes, as /proc/PID/smaps_rollup says it, in MiB. */
export interface Weight {
  readonly processes: number;
  readonly rss: number;
  readonly anonymous: number;
  readonly pss: number;
}

/** Adds up several smaps_rollup texts, one after the other. */
export function weightOf(rollups: string): Weight {
  const sum = (kind: string): number =>
    [...rollups.matchAll(new RegExp(`^${kind}:\\s+(\\d+) kB`, 'gm'))].reduce((all, [, kb]) => all + Number(kb), 0) /
    1024;
  const processes = [...rollups.matchAll(/^Rss:/gm)].length;
  if (processes === 0) throw new Error('no process was measured');
  return { processes, rss: sum('Rss'), anonymous: sum('Anonymous'), pss: sum('Pss') };
}

/** Bytes over a TCP connection since it was made: what TLS put on it and took from it. */
export interface Wire {
  readonly sent: number;
  readonly received: number;
}

/** Reads `ss --tcp --info` of exactly one connection. */
export function wireOf(ss: string): Wire {
  const figureOf = (word: string): number => {
    const found = [...ss.matchAll(new RegExp(`\\b${word}:(\\d+)`, 'g'))];
    if (found.length > 1) throw new Error(`more than one connection:\n${ss}`);
    return Number(found[0]?.[1] ?? 0);
  };
  if (!ss.includes('bytes_')) throw new Error(`no connection: ${ss}`);
  return { sent: figureOf('bytes_sent'), received: figureOf('bytes_received') };
}

export const total = (wire: Wire): number => wire.sent + wire.received;

/** What went over the same connection between two looks. */
export function between(earlier: Wire, later: Wire): Wire {
  return { sent: later.sent - earlier.sent, received: later.received - earlier.received };
}
