import {
  Facet,
  KmodState,
  sha256,
  type AvailableFacet,
  type ConfigFacet,
  type DevicesFacet,
  type LoadedFacet,
} from '@modfleet/proto';
import { Inject, Injectable } from '@nestjs/common';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { type FacetContent, kmodNamesOf } from './facet-content.ts';
import { KmodDictionary } from './kmod-dictionary.ts';
import type { LoadedEntries, LoadedEntry } from './loaded-diff.ts';
import {
  insertAliases,
  insertAvailableKmods,
  insertAvailableSet,
  insertBlocks,
  insertConfigSet,
  insertDevices,
  insertDeviceSet,
  insertLoadedSet,
  upsertParameters,
} from './set.queries.ts';

type Ids = ReadonlyMap<string, number>;

/** Stores proven contents, each in one transaction: a set is there with all its rows, or not at all. */
@Injectable()
export class SetWriter {
  readonly #database: DatabaseService;
  readonly #dictionary: KmodDictionary;

  constructor(@Inject(DatabaseService) database: DatabaseService, @Inject(KmodDictionary) dictionary: KmodDictionary) {
    this.#database = database;
    this.#dictionary = dictionary;
  }

  /** @throws DatabaseUnavailableError */
  async write(hostId: string, content: FacetContent): Promise<void> {
    const ids = await this.#dictionary.ids(kmodNamesOf(content));
    await this.#database.tx('READ COMMITTED', async (sql) => {
      switch (content.facet) {
        case Facet.FACET_LOADED:
          return insertLoadedSet(
            sql,
            content.hex,
            loadedIds(content.value, ids),
            content.bytes,
            cleanJson(loadedEntries(content.value)),
          );
        case Facet.FACET_PARAMETERS:
          return upsertParameters(sql, hostId, content.hex, content.bytes);
        case Facet.FACET_AVAILABLE:
          return writeAvailable(sql, content.hex, content.bytes, content.value, ids);
        case Facet.FACET_DEVICES:
          return writeDevices(sql, content.hex, content.bytes, content.value, ids);
        case Facet.FACET_CONFIG:
          return writeConfig(sql, content.hex, content.bytes, content.value, ids);
      }
    });
  }
}

const STATE_WORDS: Readonly<Record<number, string>> = {
  [KmodState.KMOD_STATE_LIVE]: 'live',
  [KmodState.KMOD_STATE_LOADING]: 'loading',
  [KmodState.KMOD_STATE_UNLOADING]: 'unloading',
};

/** The `entries` column of loaded_set. */
export function loadedEntries(value: LoadedFacet): LoadedEntries {
  return Object.fromEntries(
    value.kmods.map((kmod): [string, LoadedEntry] => [
      kmod.name,
      {
        buildId: kmod.buildId,
        size: kmod.size,
        taint: kmod.taint,
        version: kmod.version,
        srcversion: kmod.srcversion,
        state: STATE_WORDS[kmod.state] ?? '',
      },
    ]),
  );
}

function loadedIds(value: LoadedFacet, ids: Ids): number[] {
  return value.kmods.map((kmod) => idOf(ids, kmod.name)).sort((a, b) => a - b);
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
  if (!(await insertAvailableSet(sql, hex, clean(value.kernelRelease), sha256(bytes), value.kmods.length))) return;
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
  await insertAvailableKmods(sql, hex, cleanJson(rows));
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

async function writeDevices(sql: Sql, hex: string, bytes: Uint8Array, value: DevicesFacet, ids: Ids): Promise<void> {
  if (!(await insertDeviceSet(sql, hex, bytes))) return;
  const rows = value.devices.map((device) => ({
    bus: device.bus,
    address: device.address,
    driver: device.driver,
    kmod_id: device.kmod === '' ? null : idOf(ids, device.kmod),
    builtin: device.builtin,
    modalias: device.modalias,
    names: device.names,
  }));
  await insertDevices(sql, hex, cleanJson(rows));
}

async function writeConfig(sql: Sql, hex: string, bytes: Uint8Array, value: ConfigFacet, ids: Ids): Promise<void> {
  const summary = {
    modulesDisabled: value.modulesDisabled ?? null,
    lockdown: value.lockdown ?? null,
    sigEnforce: value.sigEnforce ?? null,
    secureBoot: value.secureBoot ?? null,
    kernelCmdline: value.kernelCmdline,
    unreadable: value.unreadable,
  };
  if (!(await insertConfigSet(sql, hex, bytes, cleanJson(summary)))) return;
  const rows = value.blocks.map((block, seq) => ({
    seq,
    kmod_id: block.kmod === '' ? null : idOf(ids, block.kmod),
    rung: block.rung,
    file: block.file,
    line: block.line,
    detail: block.detail,
  }));
  await insertBlocks(sql, hex, cleanJson(rows));
}

/** Postgres stores no NUL in text: a kmod's description that holds one is shown without. */
function clean(text: string): string {
  return text.replaceAll('\0', '');
}

function cleanJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'string' ? clean(item) : item));
}
