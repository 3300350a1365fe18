import { randomBytes, randomUUID } from 'node:crypto';
import {
  type AvailableKmod,
  type ConfigFacet,
  type Device,
  encodeFacet,
  Facet,
  FACET_WORDS,
  type FacetValues,
  HostFacts,
  type KmodParameters,
  type KnownFacet,
  type LoadedKmod,
  sha256,
} from '@modfleet/proto';
import type { INestApplicationContext } from '@nestjs/common';
import { DatabaseService } from '../database/database.service.ts';
import { BuildDictionary } from '../ingest/build-dictionary.ts';
import { readContent } from '../ingest/facet-content.ts';
import { KmodDictionary } from '../ingest/kmod-dictionary.ts';
import { SetWriter } from '../ingest/set-writer.ts';
import { isShared, SET_TABLES } from '../ingest/set.queries.ts';
import type { JournalDamage } from '../enrollment/host-facts.ts';
import { REPLICA_ID } from '../presence/replica-id.ts';

export interface HostSeed {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly kernel?: string;
  readonly os?: string;
  readonly family?: string;
  readonly mode?: 'observe' | 'act';
  /** `connected` (default), `silent`, or `never` connected. */
  readonly presence?: 'connected' | 'silent' | 'never';
  readonly quarantined?: string;
  readonly journalDamage?: JournalDamage;
  /** A facet that is not named was never reported; a text is the reason why the host cannot. */
  readonly loaded?: readonly (string | Partial<LoadedKmod>)[] | string;
  readonly available?: readonly (string | Partial<AvailableKmod>)[] | string;
  readonly devices?: readonly Partial<Device>[] | string;
  readonly config?: Partial<ConfigFacet> | string;
  readonly parameters?: readonly KmodParameters[];
  /** Facets whose observation is too old. */
  readonly stale?: readonly ('loaded' | 'available' | 'devices' | 'config')[];
}

const FACET_OF = {
  loaded: Facet.FACET_LOADED,
  available: Facet.FACET_AVAILABLE,
  devices: Facet.FACET_DEVICES,
  config: Facet.FACET_CONFIG,
} as const;

/** Puts hosts into a test database as the agent side would: real canonical sets, sessions of this replica. */
export class Fleet {
  readonly #database: DatabaseService;
  readonly #replicaId: string;
  readonly #writer: SetWriter;

  constructor(app: INestApplicationContext) {
    this.#database = app.get(DatabaseService);
    this.#replicaId = app.get<string>(REPLICA_ID);
    const kmods = new KmodDictionary(this.#database);
    this.#writer = new SetWriter(this.#database, kmods, new BuildDictionary(this.#database, kmods));
  }

  /** @returns the host's id. */
  async add(seed: HostSeed): Promise<string> {
    const id = randomUUID();
    const kernel = seed.kernel ?? '6.1.0-49-cloud-amd64';
    const facts = HostFacts.fromPartial({
      hostname: seed.name,
      kernelRelease: kernel,
      architecture: 'x86_64',
      osId: seed.os ?? 'debian',
      osPrettyName: 'Debian GNU/Linux 12 (bookworm)',
      packageFamily: seed.family ?? 'deb',
      mode: seed.mode ?? 'act',
      policy: { allow: [], deny: ['kvm*'], protected: [] },
    });
    await this.#database.query(
      `INSERT INTO host (id, name, facts, kernel_release, os_id, arch, package_family, agent_version, mode, labels, key_fingerprint, quarantined_at, quarantine_reason,
                         journal_damage, journal_damaged_at)
       VALUES ($1, $2, $3, $4, $5, 'x86_64', $6, '0.1.0', $7, $8, $9, CASE WHEN $10::text IS NULL THEN NULL ELSE now() END, $10,
               coalesce($11, ''), CASE WHEN $11::text IS NULL THEN NULL ELSE now() END)`,
      [
        id,
        seed.name,
        JSON.stringify(HostFacts.toJSON(facts)),
        kernel,
        facts.osId,
        facts.packageFamily,
        facts.mode,
        JSON.stringify(seed.labels ?? {}),
        randomBytes(32),
        seed.quarantined ?? null,
        seed.journalDamage ?? null,
      ],
    );
    await this.#facets(id, kernel, seed);
    await this.#session(id, seed);
    return id;
  }

  /** The host goes silent. */
  async disconnect(hostId: string): Promise<void> {
    await this.#database.query('UPDATE host_session SET disconnected_at = now() WHERE host_id = $1', [hostId]);
  }

  async #session(id: string, seed: HostSeed): Promise<void> {
    if (seed.presence === 'never') return;
    const stale = (seed.stale ?? []).reduce((bits, facet) => bits | (1 << FACET_OF[facet]), 0);
    await this.#database.query(
      `INSERT INTO host_session (host_id, session_no, replica_id, boot_id, address, vouched, disconnected_at)
       VALUES ($1, nextval('host_session_no_seq'), $2, 'boot-1', '192.0.2.7', $3, CASE WHEN $4 THEN now() END)`,
      [id, this.#replicaId, 0b111110 & ~stale, seed.presence === 'silent'],
    );
  }

  async #facets(id: string, kernel: string, seed: HostSeed): Promise<void> {
    await this.#facet(id, Facet.FACET_LOADED, seed.loaded, (entries) => ({ kmods: sorted(entries.map(toLoadedKmod)) }));
    await this.#facet(id, Facet.FACET_AVAILABLE, seed.available, (entries) => ({
      kernelRelease: kernel,
      kmods: sorted(entries.map(toAvailableKmod)),
    }));
    await this.#facet(id, Facet.FACET_DEVICES, seed.devices, (entries) => ({ devices: entries.map(toDevice) }));
    await this.#facet(id, Facet.FACET_CONFIG, seed.config, (config) => ({ ...EMPTY_CONFIG, ...config }));
    await this.#facet(id, Facet.FACET_PARAMETERS, seed.parameters, (kmods) => ({ kmods: sorted([...kmods]) }));
  }

  async #facet<F extends KnownFacet, Value extends object>(
    id: string,
    facet: F,
    given: Value | string | undefined,
    build: (value: Value) => FacetValues[F],
  ): Promise<void> {
    if (given === undefined) return;
    let digest: string | null = null;
    if (typeof given !== 'string') {
      const bytes = encodeFacet(facet, build(given));
      digest = Buffer.from(sha256(bytes)).toString('hex');
      await this.#writer.write([{ hostId: id, content: readContent(facet, digest, bytes) }]);
    }
    const word = FACET_WORDS[facet];
    const value = isShared(facet)
      ? `(SELECT id FROM ${SET_TABLES[facet]} WHERE digest = decode($2, 'hex'))`
      : `decode($2, 'hex')`;
    await this.#database.query(
      `INSERT INTO host_inventory AS i (host_id, ${word}, ${word}_reason, ${word}_observed_at, loaded_received_at)
       VALUES ($1, ${value}, $3, now() - interval '1 hour', CASE WHEN $4 THEN now() END)
       ON CONFLICT (host_id) DO UPDATE SET ${word} = excluded.${word}, ${word}_reason = excluded.${word}_reason, ${word}_observed_at = excluded.${word}_observed_at,
         loaded_received_at = coalesce(excluded.loaded_received_at, i.loaded_received_at)`,
      [id, digest, typeof given === 'string' ? given : null, facet === Facet.FACET_LOADED],
    );
  }
}

const EMPTY_CONFIG: ConfigFacet = {
  modprobe: [],
  modulesLoad: [],
  kernelCmdline: 'quiet',
  modulesDisabled: false,
  blocks: [],
  unreadable: [],
};

function sorted<T extends { readonly name: string }>(items: T[]): T[] {
  return items.sort((left, right) => (left.name < right.name ? -1 : 1));
}

function toLoadedKmod(entry: string | Partial<LoadedKmod>): LoadedKmod {
  const partial = typeof entry === 'string' ? { name: entry } : entry;
  return {
    name: '',
    buildId: `b1${partial.name ?? ''}`,
    size: 16384,
    taint: '',
    srcversion: '',
    version: '',
    state: 1,
    ...partial,
  };
}

function toAvailableKmod(entry: string | Partial<AvailableKmod>): AvailableKmod {
  const partial = typeof entry === 'string' ? { name: entry } : entry;
  const path = partial.builtin === true ? '' : `kernel/${partial.name ?? ''}.ko.xz`;
  const empty = {
    version: '',
    srcversion: '',
    license: 'GPL',
    signer: '',
    description: '',
    depends: [],
    aliases: [],
    softdepsPre: [],
    softdepsPost: [],
  };
  return {
    name: '',
    builtin: false,
    path,
    buildId: partial.builtin === true ? '' : `b1${partial.name ?? ''}`,
    ...empty,
    ...partial,
  };
}

function toDevice(partial: Partial<Device>): Device {
  return {
    bus: 'pci',
    address: '0000:00:03.0',
    modalias: '',
    driver: '',
    kmod: '',
    builtin: false,
    names: [],
    ...partial,
  };
}
