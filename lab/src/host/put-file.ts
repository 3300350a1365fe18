import { gzipSync } from 'node:zlib';
import type { LabHost } from './lab-host.ts';

/** Bytes of one command: the serial port has no flow control, and a long line takes a slow host by surprise. */
const PIECE = 2_000;

/** Puts any file on the host, packed and in pieces; `mode` as chmod takes it. */
export async function putFile(host: LabHost, path: string, content: Uint8Array, mode = '644'): Promise<void> {
  const encoded = gzipSync(content).toString('base64');
  const packed = `${path}.gz.b64`;
  await host.must(`mkdir -p "$(dirname '${path}')" && : >'${packed}'`);
  for (let at = 0; at < encoded.length; at += PIECE)
    await host.must(`printf %s '${encoded.slice(at, at + PIECE)}' >>'${packed}'`);
  await host.must(`base64 -d '${packed}' | gzip -dc >'${path}' && rm '${packed}' && chmod ${mode} '${path}'`);
}
