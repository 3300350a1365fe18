/** In this order; what is not named comes after, proofs last. */
const TITLES: readonly (readonly [name: string, title: string])[] = [
  ['peers', 'Beside clush, pdsh and ansible'],
  ['first-light', 'Start, change, freeze, boot'],
  ['fleet', 'Thousands of hosts on one server'],
  ['rollout', 'Rollouts over thousands of hosts'],
  ['replicas', 'Three servers'],
  ['storage', 'A fleet in the store'],
  ['export', 'Lists given whole'],
  ['agent', 'The agent, and other agents'],
  ['audit', 'The audit log'],
  ['signing', 'Signed commands'],
  ['oracle', 'Predictions against real kernels'],
  ['proof-once', 'Proof: nothing is done twice'],
  ['proof-kills', 'Proof: killed at any point'],
  ['proof-rollouts', 'Proof: rollouts through killed servers and bad lines'],
  ['proof-confirm', 'Proof: back when nobody confirms'],
  ['proof-journal', 'Proof: a damaged journal'],
  ['proof-audit', 'Proof: a changed audit log is found'],
  ['proof-fuzz-http', 'Proof: HTTP API under fuzzing'],
  ['proof-fuzz-grpc', "Proof: the agents' listeners under attack"],
];

export function titleOf(name: string): string {
  return TITLES.find(([known]) => known === name)?.[1] ?? name;
}

/** For a sort. */
export function placeOf(name: string): number {
  const place = TITLES.findIndex(([known]) => known === name);
  return place === -1 ? TITLES.length : place;
}
