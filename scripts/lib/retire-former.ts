import type { Api } from './api.ts';

/** The API's largest page. */
const PAGE = 1000;
/** Calls under way at a time. */
const AT_ONCE = 8;

interface HostPage {
  readonly items: readonly { readonly id: string; readonly connected: boolean }[];
  readonly nextCursor: string | null;
}

/** Retires the hosts of a selector that are not connected: those of an earlier start, whose identity is gone with it. */
export async function retireFormer(api: Api, selector: string, reason: string): Promise<void> {
  const former: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const query: string = new URLSearchParams({
      selector,
      limit: String(PAGE),
      ...(cursor === '' ? {} : { cursor }),
    }).toString();
    const page = (await api.get(`/api/v1/hosts?${query}`)) as HostPage;
    former.push(...page.items.filter(({ connected }) => !connected).map(({ id }) => id));
    cursor = page.nextCursor;
  }
  const waiting = former.values();
  const some = async (): Promise<void> => {
    for (const id of waiting) await api.delete(`/api/v1/hosts/${id}`, { reason });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
}
