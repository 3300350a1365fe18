import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import * as asn1 from 'asn1js';

/*
 * A file of its own on a host, loaded by the two commands that join: the resident program never holds this library, which takes more memory than all of the agent's
 * own text.
 */

/**
 * A PKCS #10 certificate request (RFC 2986, DER) for this key (PKCS #8, PEM; ECDSA over P-256). The subject means nothing: the server chooses the host's name.
 */
export function makeCertificateRequest(keyPem: string): Promise<Uint8Array> {
  const key = createPrivateKey(keyPem);
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const info = sequence(VERSION_1, NAME, spki, NO_ATTRIBUTES);
  const signature = new asn1.BitString({ valueHex: new Uint8Array(sign('sha256', info, key)).buffer });
  return Promise.resolve(sequence(info, ECDSA_WITH_SHA256, encoded(signature)));
}

/** A SEQUENCE of what is encoded already. */
function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  const content = new Uint8Array(Buffer.concat(parts));
  const { idBlock, lenBlock } = new asn1.Sequence();
  lenBlock.length = content.length;
  lenBlock.longFormUsed = content.length > SHORT_FORM_MAX;
  return new Uint8Array(Buffer.concat([encoded(idBlock), encoded(lenBlock), content]));
}

function encoded(block: { toBER(): ArrayBuffer }): Uint8Array {
  return new Uint8Array(block.toBER());
}

/** X.690, 8.1.3.4: a longer length has a byte that says how many bytes it has. */
const SHORT_FORM_MAX = 127;

const VERSION_1 = encoded(new asn1.Integer({ value: 0 }));
/** RFC 5758, 3.2; without parameters. What the CA signs and every TLS 1.3 stack knows. */
const ECDSA_WITH_SHA256 = sequence(encoded(new asn1.ObjectIdentifier({ value: '1.2.840.10045.4.3.2' })));
/** CN=modfleet-host (RFC 5280, appendix A). */
const NAME = sequence(
  encoded(
    new asn1.Set({
      value: [
        new asn1.Sequence({
          value: [new asn1.ObjectIdentifier({ value: '2.5.4.3' }), new asn1.Utf8String({ value: 'modfleet-host' })],
        } as SequenceOptions),
      ],
    } as SequenceOptions),
  ),
);
const NO_ATTRIBUTES = encoded(new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber: 0 } }));

type SequenceOptions = ConstructorParameters<typeof asn1.Sequence>[0];
