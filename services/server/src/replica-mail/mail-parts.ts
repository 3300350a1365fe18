import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { BUS_PAYLOAD_MAX_BYTES } from '../bus/bus.ts';

/*
 * A bus message is short, a mail is not: it travels compressed, in parts of text.
 *
 * INVARIANTS
 * - A mail arrives whole or not at all. Parts whose mail never completes are forgotten: the oldest first, and a bounded number is kept.
 */

/** What the header of a part and the channel's name take at most. */
const HEADER_CHARACTERS = 250;
export const PART_CHARACTERS = BUS_PAYLOAD_MAX_BYTES - HEADER_CHARACTERS;
/** Mails that may be incomplete at a time. */
const INCOMPLETE_LIMIT = 256;
/** Parts of the largest mail: 10,000 hosts asked for 100 kmods are about 40. */
const PARTS_LIMIT = 512;
/** Inflated size of the largest mail. */
const MAIL_LIMIT_BYTES = 16 * 1024 * 1024;

/** The parts of a mail; `id` is unique to it and has no white space. */
export function splitMail(id: string, mail: unknown): string[] {
  const text = deflateRawSync(JSON.stringify(mail)).toString('base64');
  const count = Math.max(1, Math.ceil(text.length / PART_CHARACTERS));
  return Array.from({ length: count }, (_, index) => {
    const part = text.slice(index * PART_CHARACTERS, (index + 1) * PART_CHARACTERS);
    return `${id} ${index} ${count} ${part}`;
  });
}

/** Puts parts together again, in whatever order they come. */
export class MailAssembler {
  readonly #incomplete = new Map<string, { readonly parts: (string | undefined)[]; missing: number }>();

  /** The mail that this part completes; undefined when others are missing or the part is none. */
  add(part: string): unknown {
    const match = /^(\S+) (\d{1,4}) (\d{1,4}) (\S*)$/.exec(part);
    if (match === null) return undefined;
    const [, id = '', indexText = '', countText = '', text = ''] = match;
    const index = Number(indexText);
    const count = Number(countText);
    if (count < 1 || count > PARTS_LIMIT || index >= count) return undefined;
    const mail = this.#incomplete.get(id) ?? {
      parts: Array.from<string | undefined>({ length: count }),
      missing: count,
    };
    if (mail.parts.length !== count || mail.parts[index] !== undefined) return undefined;
    mail.parts[index] = text;
    mail.missing -= 1;
    if (mail.missing > 0) {
      this.#incomplete.set(id, mail);
      this.#forgetOldest();
      return undefined;
    }
    this.#incomplete.delete(id);
    const bytes = inflateRawSync(Buffer.from(mail.parts.join(''), 'base64'), { maxOutputLength: MAIL_LIMIT_BYTES });
    return JSON.parse(bytes.toString('utf8'));
  }

  #forgetOldest(): void {
    while (this.#incomplete.size > INCOMPLETE_LIMIT) {
      const oldest = this.#incomplete.keys().next().value;
      if (oldest === undefined) return;
      this.#incomplete.delete(oldest);
    }
  }
}
