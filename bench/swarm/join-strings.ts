import type { Api } from '../../scripts/lib/api.ts';
import { hostRandom, labelsKey, planHost } from './host-kinds.ts';

/** Makes join tokens for the hosts of a swarm: one for each set of labels, with as many uses as hosts have them. */
export async function makeJoinStrings(api: Api, hosts: number, seed: number): Promise<Record<string, string>> {
  const wanted = new Map<string, { readonly labels: Readonly<Record<string, string>>; uses: number }>();
  for (let number = 0; number < hosts; number += 1) {
    const { labels } = planHost(number, hostRandom(seed, number));
    const known = wanted.get(labelsKey(labels));
    if (known === undefined) wanted.set(labelsKey(labels), { labels, uses: 1 });
    else known.uses += 1;
  }
  const made = await Promise.all(
    [...wanted].map(async ([key, { labels, uses }]): Promise<[string, string]> => {
      const body = { name: 'swarm', labels: { ...labels, swarm: 'true' }, maxUses: uses, expiresIn: 86_400 };
      const token = (await api.post('/api/v1/join-tokens', body)) as { joinString: string };
      return [key, token.joinString];
    }),
  );
  return Object.fromEntries(made);
}
