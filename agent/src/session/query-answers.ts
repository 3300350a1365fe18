import { KmodNameError, canonicalKmodName } from '@modfleet/proto';
import type { Query, QueryAnswer } from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { Inventory } from '../facets/inventory.ts';

/** Kmods in one query; the server asks for a handful. */
const MAX_KMODS = 100;

/** The answer to a query, always one: what went wrong is said in it. */
export async function answerQuery(inventory: Inventory, query: Query, tooMany: boolean): Promise<QueryAnswer> {
  const failed = (error: string): QueryAnswer => ({ queryId: query.queryId, kmods: [], error, health: undefined });
  if (tooMany) return failed('this host answers too many queries at once');
  if (query.kmods.length > MAX_KMODS) return failed(`a query may ask for at most ${MAX_KMODS} kmods`);
  try {
    const names = query.kmods.map(canonicalKmodName);
    // A host without loadable kmods has a health, too.
    const health = query.health ? await inventory.health() : undefined;
    const kmods = names.length === 0 && query.health ? [] : await inventory.answer(names);
    return { queryId: query.queryId, kmods, error: '', health };
  } catch (error) {
    if (error instanceof KmodNameError) return failed(error.message);
    return failed(`this host cannot answer: ${messageOf(error)}`);
  }
}
