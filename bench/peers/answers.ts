/** What is asked of a host over ssh. It always answers, so that answers can be counted. */
export function shellQuestion(kmod: string): string {
  return `grep -q '^${kmod} ' /proc/modules 2>/dev/null && echo loaded || echo absent`;
}

/** clush and pdsh: `HOST: ANSWER` a line. */
export function prefixedAnswers(stdout: string): number {
  return hostsIn(stdout, /^(\S+): (?:loaded|absent)$/gm);
}

/** ansible: a line that names the host, then what it answered. */
export function ansibleAnswers(stdout: string): number {
  return hostsIn(stdout, /^(\S+) \| (?:CHANGED|SUCCESS) \| rc=0 >>\n(?:loaded|absent)$/gm);
}

/** modfleet: a row for each host that has it; all of them have. */
export function tableAnswers(stdout: string): number {
  return hostsIn(stdout, /^(\S+)\s+loaded\b.*$/gm);
}

/** A host that answered twice has answered once. */
function hostsIn(text: string, answer: RegExp): number {
  return new Set(Array.from(text.matchAll(answer), ([, host]) => host)).size;
}
