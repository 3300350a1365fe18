import { VOUCHING_MAX } from '@modfleet/proto';
import { type CaSet, issuingCa, knownCas } from './ca-set.ts';

/**
 * What leads a host that trusts an older CA to the one that issues: by each CA, from the newest, the certificate by which the one before it vouches
 * for it. DER.
 */
export function vouchingChain(set: CaSet): Buffer[] {
  return steps(set).map(({ vouching }) => vouching);
}

/**
 * The chain of the identity listener, without the server's own certificate, DER: each CA and what vouches for it, newest first. A machine that joins
 * looks for the certificate that its join string pins; agents find their way through (agent/src/identity/certificate-path.ts). Other TLS clients take
 * the first certificate that fits by name and key, so this order suits none that knows an older CA only: those get {@link vouchingChain}.
 */
export function joiningChain(set: CaSet): Buffer[] {
  return [der(issuingCa(set).certificate), ...steps(set).flatMap(({ vouching, older }) => [vouching, older])];
}

function steps(set: CaSet): { readonly vouching: Buffer; readonly older: Buffer }[] {
  const cas = new Map(knownCas(set).map((ca) => [ca.id, ca]));
  const found: { vouching: Buffer; older: Buffer }[] = [];
  let ca = issuingCa(set);
  while (ca.vouchedBy !== null && found.length < VOUCHING_MAX) {
    const older = cas.get(ca.vouchedBy.id);
    if (older === undefined) break;
    found.push({ vouching: der(ca.vouchedBy.certificate), older: der(older.certificate) });
    ca = older;
  }
  return found;
}

function der(base64: string): Buffer {
  return Buffer.from(base64, 'base64');
}
