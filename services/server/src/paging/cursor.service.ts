import { Inject, Injectable } from '@nestjs/common';
import { DatabaseService } from '../database/database.service.ts';
import { cursorSecret } from './cursor.queries.ts';
import { type CursorPosition, openCursor, sealCursor } from './cursor-codec.ts';

/** Cursors under a secret that all replicas share: it is made by the migration and kept in the database. */
@Injectable()
export class CursorService {
  readonly #database: DatabaseService;
  #secret: Buffer | undefined;

  constructor(@Inject(DatabaseService) database: DatabaseService) {
    this.#database = database;
  }

  /** @param scope list and filters; see {@link sealCursor}. */
  async seal(scope: object, position: CursorPosition): Promise<string> {
    return sealCursor(await this.#key(), scope, position);
  }

  /** @returns null for no cursor. @throws AppError cursor_invalid. */
  async open(scope: object, text: string | undefined): Promise<CursorPosition | null> {
    return text === undefined ? null : openCursor(await this.#key(), scope, text, Date.now());
  }

  async #key(): Promise<Buffer> {
    this.#secret ??= await this.#load();
    return this.#secret;
  }

  async #load(): Promise<Buffer> {
    const secret = await cursorSecret(this.#database);
    if (secret === undefined)
      throw new Error('the table server_secret has no row "cursor", which migration 0002 makes');
    return secret;
  }
}
