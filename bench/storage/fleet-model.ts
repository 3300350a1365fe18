import { createHash } from 'node:crypto';
import { type AvailableKmod, encodeFacet, Facet, type KnownFacet, sha256 } from '@modfleet/proto';
import { type FacetContent, readContent } from '../../services/server/src/ingest/facet-content.ts';
import { seededRandom } from '../../tests/e2e/support/seeded-random.ts';
import { pick, type Random } from '../swarm/random.ts';

/** Kmods that (nearly) every host has loaded. */
const CORE = 60;
/** Kmods of one role: a host has most of them. */
const ROLE = 75;
/** Kmods that few hosts have: which ones makes sets distinct. */
const TAIL = 1_500;
/** Kmods in the tree of a full Debian kernel. */
const TREE = 4_230;
/** Devices of a small server. */
const DEVICES = 24;
/** Configuration comes from a few templates. */
const CONFIGS = 200;
/** Which hosts are in one set of devices: models of hardware and how their slots are filled, a tenth as many as distinct loaded sets. */
const LOADED_PER_DEVICES = 10;
const DEVICES_LEAST = 200;

export const ROLES = ['web', 'db', 'cache', 'node', 'edge', 'build', 'store', 'gpu'] as const;
const ENVIRONMENTS = ['prod', 'prod', 'prod', 'prod', 'prod', 'prod', 'stage', 'stage', 'dev', 'dev'] as const;
export const RELEASES = Array.from({ length: 12 }, (_, each) =>
  each < 7 ? `6.1.0-${38 + each}-amd64` : `6.12.${41 + each}+deb13-amd64`,
);

/** On nine of ten hosts, and on one of five hundred. */
export const COMMON_KMOD = 'nf_tables';
export const RARE_KMOD = 'usb_oddity';

export type Part = 'loaded' | 'available' | 'devices' | 'config';
const FACETS: Readonly<Record<Part, KnownFacet>> = {
  loaded: Facet.FACET_LOADED,
  available: Facet.FACET_AVAILABLE,
  devices: Facet.FACET_DEVICES,
  config: Facet.FACET_CONFIG,
};

/** One host, and which content of each part it has. */
export interface ModelHost {
  readonly id: string;
  readonly name: string;
  readonly role: (typeof ROLES)[number];
  readonly labels: Readonly<Record<string, string>>;
  readonly release: string;
  /** Of a hundred hosts: 94 fresh, 4 silent, 1 stale, 1 in quarantine. */
  readonly standing: 'fresh' | 'silent' | 'stale' | 'quarantined';
  readonly parts: Readonly<Record<Part, number>>;
}

/** A fleet that is the same for the same numbers: nothing of it is kept, each host and each content is worked out when asked for. */
export class FleetModel {
  readonly hosts: number;
  readonly kmods: number;
  /** How many different contents of each part there are. */
  readonly contents: Readonly<Record<Part, number>>;
  readonly #seed: number;

  constructor(hosts: number, distinctShare: number, kmods: number, seed: number) {
    this.hosts = hosts;
    this.kmods = kmods;
    this.#seed = seed;
    const loaded = Math.max(1, Math.round(hosts * distinctShare));
    this.contents = {
      loaded,
      available: RELEASES.length,
      devices: Math.min(hosts, Math.max(DEVICES_LEAST, Math.round(loaded / LOADED_PER_DEVICES))),
      config: Math.min(CONFIGS, hosts),
    };
  }

  host(index: number): ModelHost {
    const loaded = index % this.contents.loaded;
    const random = this.#random('host', index);
    const role = roleOf(loaded);
    const place = index % 100;
    return {
      id: uuidOf(`host ${this.#seed} ${index}`),
      name: `${role}-${String(index).padStart(7, '0')}`,
      role,
      labels: {
        env: pick(random, ENVIRONMENTS),
        role,
        dc: `dc${1 + Math.floor(random() * 12)}`,
        team: `team-${1 + Math.floor(random() * 20)}`,
      },
      release: releaseOf(loaded),
      standing: place === 17 ? 'stale' : place === 53 ? 'quarantined' : place % 25 === 9 ? 'silent' : 'fresh',
      parts: {
        loaded,
        available: RELEASES.indexOf(releaseOf(loaded)),
        devices: index % this.contents.devices,
        config: index % this.contents.config,
      },
    };
  }

  /** As a host would send it, proven as the server proves it. */
  content(part: Part, index: number): FacetContent {
    switch (part) {
      case 'loaded':
        return contentOf(part, { kmods: this.#loadedNames(index).map((name) => loadedKmod(name, releaseOf(index))) });
      case 'available':
        return contentOf(part, { kernelRelease: RELEASES[index] ?? '', kmods: treeOf(RELEASES[index] ?? '') });
      case 'devices':
        return contentOf(part, { devices: this.#devices(index) });
      case 'config':
        return contentOf(part, configOf(index));
    }
  }

  /** Parameters differ from host to host: the sizes of tables follow its memory. */
  parameters(index: number): FacetContent {
    const names = this.#loadedNames(index % this.contents.loaded).slice(0, 40);
    const kmods = names.map((name, at) => ({
      name,
      parameters: ['debug', 'max_entries', 'timeout'].slice(0, 1 + (at % 3)).map((parameter) => ({
        name: parameter,
        value: parameter === 'max_entries' ? String(4096 + (index % 997) * 64) : 'N',
        unreadableReason: '',
      })),
    }));
    return contentOfFacet(Facet.FACET_PARAMETERS, { kmods });
  }

  /** Core and role, less a few, filled up with what is rare: sorted, as many as asked for. */
  #loadedNames(index: number): string[] {
    const random = this.#random('loaded', index);
    const role = roleOf(index);
    const names = new Set<string>();
    for (const name of [...coreNames(), ...roleNames(role)]) if (random() < 0.95) names.add(name);
    if (index % 10 === 3) names.delete(COMMON_KMOD);
    else names.add(COMMON_KMOD);
    if (index % 500 === 123) names.add(RARE_KMOD);
    while (names.size < this.kmods) names.add(`tail_${Math.floor(TAIL * random() ** 3)}`);
    return [...names].sort();
  }

  #devices(index: number) {
    const random = this.#random('devices', index);
    const devices = Array.from({ length: DEVICES }, (_, at) => {
      const bus = at < 18 ? 'pci' : at < 22 ? 'usb' : 'virtio';
      const kmod = pick(random, roleNames(ROLES[index % ROLES.length] ?? 'web'));
      const bound = at % 6;
      return {
        bus,
        address: bus === 'pci' ? `0000:${hex(at, 2)}:${hex(Math.floor(random() * 32), 2)}.0` : `${bus}${at}`,
        modalias: `${bus}:v0000${hex(0x8086 + (at % 3), 4)}d0000${hex(0x1000 + at * 7, 4)}sv00001028sd00000${hex(at, 3)}bc02sc00i00`,
        driver: bound === 0 ? '' : bound === 1 ? 'pcieport' : kmod,
        kmod: bound <= 1 ? '' : kmod,
        builtin: bound === 1,
        names: at === 0 ? ['eth0'] : at === 1 ? ['sda'] : [],
      };
    });
    const key = (one: (typeof devices)[number]): string => `${one.bus} ${one.address}`;
    return devices.sort((left, right) => (key(left) < key(right) ? -1 : 1));
  }

  #random(what: string, index: number): Random {
    return seededRandom(createHash('sha1').update(`${this.#seed} ${what} ${index}`).digest().readUInt32LE(0));
  }
}

function roleOf(loaded: number): (typeof ROLES)[number] {
  return ROLES[loaded % ROLES.length] ?? 'web';
}

function releaseOf(loaded: number): string {
  return RELEASES[Math.floor(loaded / ROLES.length) % RELEASES.length] ?? '';
}

function coreNames(): string[] {
  return [COMMON_KMOD, ...Array.from({ length: CORE - 1 }, (_, each) => `core_${each}`)];
}

function roleNames(role: string): string[] {
  return Array.from({ length: ROLE }, (_, each) => `${role}_${each}`);
}

/** Every kmod of one kernel: what hosts load, and as many more as a full tree has; every twentieth is built in. */
function treeOf(release: string): AvailableKmod[] {
  const loadable = [...coreNames(), ...ROLES.flatMap(roleNames), RARE_KMOD];
  for (let each = 0; each < TAIL; each += 1) loadable.push(`tail_${each}`);
  const rest = Array.from({ length: TREE - loadable.length }, (_, each) => `other_${each}`);
  return [...loadable, ...rest].sort().map((name, at) => {
    const builtin = name.startsWith('other_') && at % 10 === 0;
    return {
      name,
      path: builtin ? '' : `kernel/drivers/${name}.ko.xz`,
      builtin,
      version: '',
      srcversion: hash(`src ${name} ${release}`).slice(0, 23).toUpperCase(),
      license: 'GPL',
      signer: 'Debian Secure Boot CA',
      description: `${name} driver`,
      depends: at % 3 === 0 ? ['core_1'] : [],
      aliases: at % 2 === 0 ? [`pci:v00008086d0000${hex(at, 4)}sv*sd*bc*sc*i*`] : [],
      softdepsPre: [],
      softdepsPost: [],
      buildId: builtin ? '' : buildIdOf(name, release),
    };
  });
}

function loadedKmod(name: string, release: string) {
  const outOfTree = name === 'gpu_7';
  return {
    name,
    buildId: buildIdOf(name, release),
    size: 16_384 + (parseInt(hash(name).slice(0, 4), 16) % 200) * 4_096,
    taint: outOfTree ? 'OE' : '',
    srcversion: outOfTree ? hash(`src ${name}`).slice(0, 23).toUpperCase() : '',
    version: outOfTree ? '550.163.01' : '',
    state: 1,
  };
}

function configOf(index: number) {
  const blocked = ['floppy', 'cramfs', 'freevxfs', 'udf', 'dccp', 'sctp', 'rds', 'tipc'].slice(0, 2 + (index % 7));
  return {
    modprobe: [],
    modulesLoad: [],
    kernelCmdline: `BOOT_IMAGE=/vmlinuz root=UUID=${uuidOf(`root ${index}`)} ro quiet`,
    modulesDisabled: false,
    lockdown: 'none',
    sigEnforce: false,
    secureBoot: index % 2 === 0,
    blocks: blocked.map((kmod, at) => ({
      kmod,
      rung: at % 2 === 0 ? 1 : 2,
      file: '/etc/modprobe.d/hardening.conf',
      line: at + 1,
      detail: at % 2 === 0 ? `blacklist ${kmod}` : `install ${kmod} /bin/false`,
    })),
    unreadable: [],
  };
}

function contentOf(part: Part, value: object): FacetContent {
  return contentOfFacet(FACETS[part], value);
}

function contentOfFacet(facet: KnownFacet, value: object): FacetContent {
  const bytes = encodeFacet(facet, value as never);
  return readContent(facet, Buffer.from(sha256(bytes)).toString('hex'), bytes);
}

function buildIdOf(name: string, release: string): string {
  return hash(`${name} ${release}`);
}

const hashes = new Map<string, string>();
/** SHA-1, hex: what a build id looks like. Kept: a few ten thousand texts are hashed again and again. */
function hash(text: string): string {
  const known = hashes.get(text);
  if (known !== undefined) return known;
  const made = createHash('sha1').update(text).digest('hex');
  if (hashes.size < 200_000) hashes.set(text, made);
  return made;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

export function uuidOf(text: string): string {
  const made = createHash('sha1').update(text).digest('hex');
  return `${made.slice(0, 8)}-${made.slice(8, 12)}-4${made.slice(13, 16)}-8${made.slice(17, 20)}-${made.slice(20, 32)}`;
}
