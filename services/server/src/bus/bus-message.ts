import { BUS_PAYLOAD_MAX_BYTES } from './bus.ts';

/** A message of the bus as it travels: the channel's name and the payload, in JSON. @throws RangeError when it is too long for any driver. */
export function encodeMessage(channel: string, payload: string): string {
  const text = JSON.stringify([channel, payload]);
  if (Buffer.byteLength(text) > BUS_PAYLOAD_MAX_BYTES)
    throw new RangeError(`a bus message has at most ${BUS_PAYLOAD_MAX_BYTES} bytes`);
  return text;
}

/** Channel and payload; undefined: none of ours. */
export function decodeMessage(text: string): readonly [string, string] | undefined {
  try {
    const message: unknown = JSON.parse(text);
    if (!Array.isArray(message) || message.length !== 2) return undefined;
    const [channel, payload] = message as unknown[];
    return typeof channel === 'string' && typeof payload === 'string' ? [channel, payload] : undefined;
  } catch {
    return undefined;
  }
}

/** The id in the name of a replica's own channel; undefined: a channel of everybody's. */
export function replicaOf(channel: string): string | undefined {
  return channel.startsWith('replica:') ? channel.slice('replica:'.length) : undefined;
}
