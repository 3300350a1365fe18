import type { HostFacts, TrustState } from '@modfleet/proto';
import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import type { HostColumns } from '../enrollment/host-facts.ts';
import type { IngestService } from '../ingest/ingest.service.ts';
import type { AgentGateway } from './agent-gateway.ts';
import type { SessionIntervals } from './host-session.ts';
import type { SessionAdmission } from './session-admission.service.ts';
import type { SessionRegistry } from './session-registry.service.ts';

/** What every session works with. */
export interface SessionParts {
  readonly admission: Pick<SessionAdmission, 'admit'>;
  readonly registry: Pick<SessionRegistry, 'hold' | 'release' | 'all' | 'announceQuarantine'>;
  readonly gateway: AgentGateway;
  readonly ingest: Pick<IngestService, 'connect'>;
  readonly intervals: SessionIntervals;
  /** @throws EnrollmentError when facts are not fit to be stored. */
  readonly hostColumns: (facts: HostFacts) => HostColumns;
  readonly saveFacts: (hostId: string, columns: HostColumns) => Promise<void>;
  /** The CAs that count. */
  readonly ca: Pick<CertificateAuthority, 'set' | 'bundle' | 'trusts'>;
  readonly saveTrust: (hostId: string, trust: TrustState) => Promise<void>;
  /** Calls `end` soon: when the host has had the time to come up elsewhere, or this process stops. */
  readonly linger: (end: () => void) => void;
  /** Server time, ms since the epoch. */
  readonly nowMs: () => number;
}
