import {
  type AvailableFacet,
  type ConfigFacet,
  Facet,
  KmodState,
  type LoadedFacet,
  type LoadedKmod,
  sha256,
} from '@modfleet/proto';
import { Inject, Injectable } from '@nestjs/common';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { BuildDictionary } from './build-dictionary.ts';
import { clean, cleanJson } from './clean.ts';
import { type FacetContent, kmodNamesOf } from './facet-content.ts';
import { KmodDictionary } from './kmod-dictionary.ts';
import type { LoadedByName, LoadedEntry } from './loaded-diff.ts';
import {
  insertAliases,
  insertAvailableKmods,
  insertAvailableSet,
  insertBlocks,
  insertConfigSets,
  insertDevices,
  insertDeviceSets,
  insertLoadedSets,
  upsertParameters,
} from './set.queries.ts';

type Ids = ReadonlyMap<string, number>;
type ContentOf<F extends FacetContent['facet']> = Extract<FacetContent, { facet: F }>;

/** A content, and the host that sent it. */
export interface HostContent {
  readonly hostId: string;
  readonly content: FacetContent;
}

/** Stores proven contents in one transaction: a set is there with all its rows, or not at all. */
@Injectable()
export class SetWriter {
  readonly #database: DatabaseService;
  readonly #kmods: KmodDictionary;
  readonly #builds: BuildDictionary;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(KmodDictionary) kmods: KmodDictionary,
    @Inject(BuildDictionary) builds: BuildDictionary,
  ) {
    this.#database = database;
    this.#kmods = kmods;
    this.#builds = builds;
  }

  /** All of them or none. @throws DatabaseUnavailableError */
  async write(contents: readonly HostContent[]): Promise<void> {
    const distinct = eachOnce(contents);
    const loaded = ofFacet(distinct, Facet.FACET_LOADED);
    const devices = ofFacet(distinct, Facet.FACET_DEVICES);
    const configs = ofFacet(distinct, Facet.FACET_CONFIG);
    const available = ofFacet(distinct, Facet.FACET_AVAILABLE);
    const builds = await this.#builds.ids(loaded.map(({ value }) => value.kmods));
    const ids = await this.#kmods.ids([...devices, ...configs, ...available].flatMap(kmodNamesOf));
    await this.#database.tx('READ COMMITTED', async (sql) => {
      if (loaded.length > 0)
        await insertLoadedSets(
          sql,
          loaded.map(({ hex }, at) => ({ hex, buildIds: builds[at] ?? [] })),
        );
      await writeParameters(sql, contents);
      if (devices.length > 0) await writeDevices(sql, devices, ids);
      if (configs.length > 0) await writeConfigs(sql, configs, ids);
      for (const one of available) await writeAvailable(sql, one.hex, one.bytes, one.value, ids);
    });
  }
}

/** Sorted by digest, each content once: every server inserts in this order. */
function eachOnce(contents: readonly HostContent[]): FacetContent[] {
  const byDigest = new Map(contents.map(({ content }) => [`${content.facet}:${content.hex}`, content]));
  return [...byDigest].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, content]) => content);
}

function ofFacet<F extends FacetContent['facet']>(contents: readonly FacetContent[], facet: F): ContentOf<F>[] {
  return contents.filter((content): content is ContentOf<F> => content.facet === facet);
}

/** The last that each host sent. */
async function writeParameters(sql: Sql, contents: readonly HostContent[]): Promise<void> {
  const byHost = new Map(
    contents.flatMap(({ hostId, content }) => (content.facet === Facet.FACET_PARAMETERS ? [[hostId, content]] : [])),
  );
  const rows = [...byHost].map(([hostId, { hex, bytes }]) => ({ hostId, hex, bytes }));
  rows.sort((left, right) => (left.hostId < right.hostId ? -1 : 1));
  if (rows.length > 0) await upsertParameters(sql, rows);
}

const STATE_WORDS: Readonly<Record<number, string>> = {
  [KmodState.KMOD_STATE_LIVE]: 'live',
  [KmodState.KMOD_STATE_LOADING]: 'loading',
  [KmodState.KMOD_STATE_UNLOADING]: 'unloading',
};

const entries = new WeakMap<LoadedKmod, LoadedEntry>();

/** As loaded_entries() of migration 0016 gives it: of the same object the same entry. */
export function loadedEntries(value: LoadedFacet): LoadedByName {
  return new Map(value.kmods.map((kmod): [string, LoadedEntry] => [kmod.name, entryOf(kmod)]));
}

function entryOf(kmod: LoadedKmod): LoadedEntry {
  const known = entries.get(kmod);
  if (known !== undefined) return known;
  const { buildId, size, taint, version, srcversion, state } = kmod;
  const entry = { buildId, size, taint, version, srcversion, state: STATE_WORDS[state] ?? '' };
  entries.set(kmod, entry);
  return entry;
}

function idOf(ids: Ids, name: string): number {
  const id = ids.get(name);
  if (id === undefined) throw new Error(`the dictionary gave no id for ${name}`);
  return id;
}

async function writeAvailable(
  sql: Sql,
  hex: string,
  bytes: Uint8Array,
  value: AvailableFacet,
  ids: Ids,
): Promise<void> {
  const set = await insertAvailableSet(sql, hex, clean(value.kernelRelease), sha256(bytes), value.kmods.length);
  if (set === undefined) return;
  const rows = value.kmods.map((kmod) => ({
    kmod_id: idOf(ids, kmod.name),
    path: kmod.path,
    builtin: kmod.builtin,
    version: kmod.version,
    srcversion: kmod.srcversion,
    license: kmod.license,
    signer: kmod.signer,
    description: kmod.description,
    depends: kmod.depends,
    aliases: kmod.aliases,
    softdeps_pre: kmod.softdepsPre,
    softdeps_post: kmod.softdepsPost,
    build_id: kmod.buildId,
  }));
  await insertAvailableKmods(sql, set, cleanJson(rows));
  const aliases = value.kmods.flatMap((kmod) =>
    kmod.aliases.map((pattern) => ({ pattern: clean(pattern), id: idOf(ids, kmod.name) })),
  );
  aliases.sort((a, b) => (a.pattern < b.pattern ? -1 : a.pattern > b.pattern ? 1 : a.id - b.id));
  await insertAliases(
    sql,
    aliases.map((alias) => alias.pattern),
    aliases.map((alias) => alias.id),
    aliases.map((alias) => /^[^*?[]*/.exec(alias.pattern)?.[0] ?? ''),
  );
}

async function writeDevices(
  sql: Sql,
  contents: readonly ContentOf<typeof Facet.FACET_DEVICES>[],
  ids: Ids,
): Promise<void> {
  const added = await insertDeviceSets(sql, contents);
  const rows = contents
    .filter(({ hex }) => added.has(hex))
    .flatMap(({ hex, value }) =>
      value.devices.map((device) => ({
        set: added.get(hex),
        bus: device.bus,
        address: device.address,
        driver: device.driver,
        kmod_id: device.kmod === '' ? null : idOf(ids, device.kmod),
        builtin: device.builtin,
        modalias: device.modalias,
        names: device.names,
      })),
    );
  await insertDevices(sql, cleanJson(rows));
}

async function writeConfigs(
  sql: Sql,
  contents: readonly ContentOf<typeof Facet.FACET_CONFIG>[],
  ids: Ids,
): Promise<void> {
  const sets = contents.map(({ hex, bytes, value }) => ({ hex, bytes, summary: cleanJson(summaryOf(value)) }));
  const added = await insertConfigSets(sql, sets);
  const rows = contents
    .filter(({ hex }) => added.has(hex))
    .flatMap(({ hex, value }) =>
      value.blocks.map((block, seq) => ({
        set: added.get(hex),
        seq,
        kmod_id: block.kmod === '' ? null : idOf(ids, block.kmod),
        rung: block.rung,
        file: block.file,
        line: block.line,
        detail: block.detail,
      })),
    );
  await insertBlocks(sql, cleanJson(rows));
}

function summaryOf(value: ConfigFacet): object {
  return {
    modulesDisabled: value.modulesDisabled ?? null,
    lockdown: value.lockdown ?? null,
    sigEnforce: value.sigEnforce ?? null,
    secureBoot: value.secureBoot ?? null,
    kernelCmdline: value.kernelCmdline,
    unreadable: value.unreadable,
  };
}
