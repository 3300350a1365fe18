import type { TrustBundle, TrustState } from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { Log } from '../log.ts';
import type { HostIdentity } from './host-identity.ts';
import type { KeptIdentity } from './kept-identity.ts';
import { bundleField, bundleOf, readBundle, trustFields, trustOf, trustStateOf } from './trust.ts';

export interface TrustKeeperParts {
  readonly kept: KeptIdentity;
  readonly log: Log;
  /** There is another bundle to hand to the helper. */
  readonly onKept?: () => void;
  /** The CAs changed: another CA may issue now. What hosts do because of it they spread over so long, ms. */
  readonly onTaken: (spreadMs: number) => void;
}

/** Keeps which CAs this host trusts, as the server says it (trust.ts has the rule). */
export class TrustKeeper {
  readonly #parts: TrustKeeperParts;
  #line: Promise<unknown> = Promise.resolve();
  /** An identity is replaced, never changed. */
  #told: { readonly identity: HostIdentity; readonly state: TrustState } | undefined;

  constructor(parts: TrustKeeperParts) {
    this.#parts = parts;
  }

  /** What the server is told. */
  state(): TrustState {
    const { current } = this.#parts.kept;
    if (this.#told?.identity !== current)
      this.#told = { identity: current, state: trustStateOf(trustOf(current), current.certificatePem) };
    return this.#told.state;
  }

  /** Takes a bundle that the server gave, one after the other; true when what this host trusts changed. Never rejects. */
  take(bundle: TrustBundle): Promise<boolean> {
    const taken = this.#line.then(() => this.#take(bundle));
    this.#line = taken;
    return taken;
  }

  async #take(bundle: TrustBundle): Promise<boolean> {
    const { kept, log, onTaken, onKept } = this.#parts;
    const reading = readBundle(trustOf(kept.current), bundle);
    if (reading.kind === 'same') {
      await this.#keepForHelper(bundle);
      return false;
    }
    if (reading.kind === 'refused') {
      log.error(
        { generation: bundle.generation },
        `what the server says of the CAs to trust is refused: ${reading.reason}`,
      );
      return false;
    }
    try {
      await kept.amend({ ...trustFields(reading.trust), ...bundleField(bundle) });
    } catch (error) {
      log.error(`the CAs to trust cannot be kept, and those of before stay: ${messageOf(error)}`);
      return false;
    }
    const cas = reading.trust.cas.map((ca) => ca.fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase());
    log.info({ generation: bundle.generation, cas }, 'this host trusts other CAs from now on');
    onKept?.();
    onTaken(bundle.spreadMs);
    return true;
  }

  /** An agent that took this bundle before it kept bundles. */
  async #keepForHelper(bundle: TrustBundle): Promise<void> {
    const { kept, log, onKept } = this.#parts;
    if (bundleOf(kept.current) !== undefined) return;
    try {
      await kept.amend(bundleField(bundle));
      onKept?.();
    } catch (error) {
      log.error(`what the helper is to know of the CAs cannot be kept: ${messageOf(error)}`);
    }
  }
}
