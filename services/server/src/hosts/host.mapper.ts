import { HostFacts } from '@modfleet/proto';
import type { Host, HostFacet, HostSummary, Sighting } from '../api-types.ts';
import { ageMs, FACET_NUMBERS, FACET_WORDS, isoOrNull, orNull } from '../http/facet-words.ts';
import type { Coverage, FacetCoverageRow } from '../presence/coverage.queries.ts';
import type { SightingRow } from '../quarantine/quarantine.queries.ts';
import type { HostRow } from './host-list.queries.ts';

/** What one host answers, without `freeze`. */
export type HostAnswer = Omit<Host, 'freeze'>;

/** @param cas ids of the CAs that count, the one that issues first. */
export function toHostSummary(row: HostRow, facets: readonly FacetCoverageRow[], cas: readonly string[]): HostSummary {
  const coverageOf = (facet: number): Coverage => facets.find((each) => each.facet === facet)?.coverage ?? 'silent';
  const facts = HostFacts.fromJSON(row.facts);
  return {
    id: row.id,
    name: row.name,
    labels: row.labels,
    mode: row.mode,
    connected: row.live === true && row.retired_at === null && row.revoked_at === null,
    connection: connectionOf(row),
    lastSeenAt: isoOrNull(row.seen_at),
    kernelRelease: row.kernel_release,
    os: facts.osPrettyName === '' ? facts.osId : facts.osPrettyName,
    architecture: row.arch,
    agentVersion: row.agent_version,
    coverage: {
      loaded: coverageOf(FACET_NUMBERS.loaded),
      parameters: coverageOf(FACET_NUMBERS.parameters),
      available: coverageOf(FACET_NUMBERS.available),
      devices: coverageOf(FACET_NUMBERS.devices),
      config: coverageOf(FACET_NUMBERS.config),
    },
    quarantineReason: row.quarantined_at === null ? null : (row.quarantine_reason ?? ''),
    retiredAt: isoOrNull(row.retired_at),
    revokedAt: isoOrNull(row.revoked_at),
    caTrust: caTrustOf(row, cas),
  };
}

function caTrustOf(row: HostRow, cas: readonly string[]): HostSummary['caTrust'] {
  if (row.trust_generation === 0) return 'unknown';
  const isSame = row.trusted_cas.length === cas.length && cas.every((id) => row.trusted_cas.includes(id));
  return isSame && row.certificate_ca === cas[0] ? 'current' : 'behind';
}

function connectionOf(row: HostRow): HostSummary['connection'] {
  if (row.retired_at !== null) return 'retired';
  if (row.revoked_at !== null) return 'revoked';
  if (row.quarantined_at !== null) return 'quarantined';
  return row.live === true ? 'connected' : 'silent';
}

/** Counts of a host's kmods; null where the facet that says it was never reported. */
export interface KmodTotals {
  readonly loaded: number | null;
  readonly builtin: number | null;
  readonly onDisk: number | null;
}

/** `summary` of config_set. */
export interface ConfigSummary {
  readonly modulesDisabled?: boolean | null;
  readonly lockdown?: string | null;
  readonly sigEnforce?: boolean | null;
  readonly secureBoot?: boolean | null;
  readonly unreadable?: readonly string[];
}

export function toHost(
  row: HostRow & { asOf: Date },
  facets: readonly FacetCoverageRow[],
  counts: KmodTotals,
  config: ConfigSummary,
  machines: readonly SightingRow[],
  cas: readonly string[],
): HostAnswer {
  const facts = HostFacts.fromJSON(row.facts);
  return {
    ...toHostSummary(row, facets, cas),
    facts: {
      hostname: facts.hostname,
      machineId: facts.machineId,
      kernelVersion: facts.kernelVersion,
      osId: facts.osId,
      osVersionId: facts.osVersionId,
      osPrettyName: facts.osPrettyName,
      packageFamily: facts.packageFamily,
      virtualization: facts.virtualization,
    },
    policy: {
      allow: facts.policy?.allow ?? [],
      deny: facts.policy?.deny ?? [],
      protected: facts.policy?.protected ?? [],
    },
    facets: FACET_WORDS.map((facet) => toHostFacet(facet, facets, row.asOf)),
    counts: { ...counts },
    modulesDisabled: config.modulesDisabled ?? null,
    lockdown: config.lockdown ?? null,
    sigEnforce: config.sigEnforce ?? null,
    secureBoot: config.secureBoot ?? null,
    unreadable: [...(config.unreadable ?? [])],
    journalDamage: journalDamageOf(row),
    revokeReason: row.revoke_reason,
    certificate: {
      number: row.renewal_counter,
      notAfter: isoOrNull(row.certificate_not_after),
      renewedAt: isoOrNull(row.renewed_at),
    },
    machines: machines.map(toSighting),
    ca: { trusts: [...row.trusted_cas], certificateBy: orNull(row.certificate_ca) },
    enrolledAt: row.enrolled_at.toISOString(),
    address: orNull(row.address),
    bootId: orNull(row.boot_id),
    asOf: row.asOf.toISOString(),
  };
}

export function toSighting(row: SightingRow): Sighting {
  const { address, bootId, counter, how } = row;
  return {
    address,
    bootId,
    firstSeen: row.firstSeen.toISOString(),
    lastSeen: row.lastSeen.toISOString(),
    certificate: counter,
    how,
  };
}

function journalDamageOf({ journal_damage: kind, journal_damaged_at: since }: HostRow): Host['journalDamage'] {
  return kind === '' || since === null ? null : { kind, since: since.toISOString() };
}

function toHostFacet(facet: HostFacet['facet'], facets: readonly FacetCoverageRow[], asOf: Date): HostFacet {
  return {
    facet,
    ...standingOf(
      facets.find((each) => each.facet === FACET_NUMBERS[facet]),
      asOf,
    ),
    digest: digestOf(facet, facets),
  };
}

function digestOf(facet: HostFacet['facet'], facets: readonly FacetCoverageRow[]): string | null {
  return facets.find((each) => each.facet === FACET_NUMBERS[facet])?.digest?.toString('hex') ?? null;
}

/** Where one facet stands; a retired host has no row and is silent for good. */
export function standingOf(row: FacetCoverageRow | undefined, asOf: Date): Omit<HostFacet, 'facet' | 'digest'> {
  if (row === undefined) return { coverage: 'silent', observedAt: null, ageMs: null, reason: 'retired' };
  return {
    coverage: row.coverage,
    observedAt: isoOrNull(row.observedAt),
    ageMs: ageMs(asOf, row.observedAt),
    reason: row.reason,
  };
}
