import { createPublicKey, sign } from 'node:crypto';
import * as asn1 from 'asn1js';

/*
 * A file of its own on a host, loaded by the two commands that join: the resident program never holds this library, which takes more memory than all of the agent's
 * own text.
 */

/** RFC 5280, appendix A: commonName. */
const COMMON_NAME = '2.5.4.3';
/** RFC 5758, 3.2; without parameters. What the CA signs and every TLS 1.3 stack knows. */
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const CONTEXT_CLASS = 3;

/**
 * A PKCS #10 certificate request (RFC 2986, DER) for this key (PKCS #8, PEM; ECDSA over P-256). The subject means nothing: the server chooses the host's name.
 */
export function makeCertificateRequest(keyPem: string): Promise<Uint8Array> {
  const spki = asn1.fromBER(new Uint8Array(createPublicKey(keyPem).export({ type: 'spki', format: 'der' })));
  const info = sequence(new asn1.Integer({ value: 0 }), nameOf('modfleet-host'), spki.result, noAttributes()).toBER();
  const signature = sign('sha256', new Uint8Array(info), { key: keyPem, dsaEncoding: 'der' });
  const request = sequence(
    asn1.fromBER(info).result,
    sequence(new asn1.ObjectIdentifier({ value: ECDSA_WITH_SHA256 })),
    new asn1.BitString({ valueHex: new Uint8Array(signature).buffer }),
  );
  return Promise.resolve(new Uint8Array(request.toBER()));
}

function sequence(...value: asn1.BaseBlock[]): asn1.Sequence {
  return new asn1.Sequence({ value } as ConstructorParameters<typeof asn1.Sequence>[0]);
}

function nameOf(commonName: string): asn1.BaseBlock {
  const attribute = sequence(
    new asn1.ObjectIdentifier({ value: COMMON_NAME }),
    new asn1.Utf8String({ value: commonName }),
  );
  return sequence(new asn1.Set({ value: [attribute] } as ConstructorParameters<typeof asn1.Set>[0]));
}

function noAttributes(): asn1.BaseBlock {
  return new asn1.Constructed({ idBlock: { tagClass: CONTEXT_CLASS, tagNumber: 0 } });
}
