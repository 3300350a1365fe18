import { diffFacets, Facet, type LoadedKmod, type LoadedFacet } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { DatabaseService } from '../database/database.service.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { facetOf } from '../testing/test-agent.ts';
import { BuildDictionary } from './build-dictionary.ts';
import { ContentReader } from './content-reader.ts';
import { readContent } from './facet-content.ts';
import { HostTracker } from './host-tracker.ts';
import { KmodDictionary } from './kmod-dictionary.ts';
import { SetWriter } from './set-writer.ts';

let database: DatabaseService;
onTestDatabase((url) => {
  database = new DatabaseService({ databaseUrl: url, dbPoolSize: 2 });
  return Promise.resolve({ stop: () => database.onApplicationShutdown() });
});

const kmod = (name: string, fields: Partial<LoadedKmod> = {}): LoadedKmod => ({
  name,
  buildId: 'ab'.repeat(20),
  size: 4096,
  taint: '',
  srcversion: '',
  version: '',
  state: 1,
  ...fields,
});
const tracker = new HostTracker({
  hostId: '5f0a1c9e-5a55-4a2b-9c1f-2f6f3a6a1b11',
  sessionNo: 1,
  bootId: '',
  request: () => undefined,
  turnAway: () => undefined,
});

/** Stored by one server, asked of another one, which has nothing of it in memory. */
async function changed(before: LoadedFacet, after: LoadedFacet): Promise<string | undefined> {
  const [old, young] = [facetOf(Facet.FACET_LOADED, before), facetOf(Facet.FACET_LOADED, after)];
  const kmods = new KmodDictionary(database);
  const content = readContent(Facet.FACET_LOADED, old.digest.toString('hex'), old.bytes);
  await new SetWriter(database, kmods, new BuildDictionary(database, kmods)).write([
    { hostId: tracker.peer.hostId, content },
  ]);
  const delta = diffFacets(Facet.FACET_LOADED, old.bytes, young.bytes);
  if (delta === undefined) throw new Error('no change');
  const read = await new ContentReader(database).read(tracker, Facet.FACET_LOADED, young.digest.toString('hex'), {
    $case: 'delta',
    value: { baseDigest: old.digest, removed: [...delta.removed], upserted: Buffer.from(delta.upserted) },
  });
  return read?.hex;
}

describe('what is loaded, stored by builds', () => {
  it('gives the very bytes back that a change applies to', async () => {
    const before = {
      kmods: [
        kmod('a', { state: 2 }),
        kmod('b', { taint: 'OE', version: '1.0 "x"', srcversion: 'ABC', size: 2 ** 40 }),
        kmod('c', { buildId: '', state: 0 }),
        kmod('d', { state: 3, version: 'ü\u{1f600}' }),
      ],
    };
    const after = { kmods: [...before.kmods.slice(1), kmod('e')] };
    expect(await changed(before, after)).toBe(facetOf(Facet.FACET_LOADED, after).digest.toString('hex'));
    // An empty set is one too.
    expect(await changed({ kmods: [] }, after)).toBe(facetOf(Facet.FACET_LOADED, after).digest.toString('hex'));
  });

  it('is no base for a change where the database could not keep all of it: the host is asked for the whole', async () => {
    const before = { kmods: [kmod('a', { version: 'with\0nul' })] };
    expect(await changed(before, { kmods: [kmod('b')] })).toBeUndefined();
  });

  it('is stored once for every host that says the same, whoever is first', async () => {
    const bytes = facetOf(Facet.FACET_LOADED, { kmods: [kmod('many')] });
    const content = readContent(Facet.FACET_LOADED, bytes.digest.toString('hex'), bytes.bytes);
    const write = (): Promise<void> => {
      const kmods = new KmodDictionary(database);
      return new SetWriter(database, kmods, new BuildDictionary(database, kmods)).write([
        { hostId: tracker.peer.hostId, content },
        { hostId: tracker.peer.hostId, content },
      ]);
    };
    await Promise.all([write(), write()]);
    const rows = await database.query(
      `SELECT FROM kmod_build b JOIN kmod k ON k.id = b.kmod_id JOIN loaded_set s ON s.build_ids = ARRAY[b.id] WHERE k.name = 'many'`,
    );
    expect(rows).toHaveLength(1);
  });
});
