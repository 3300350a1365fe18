import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import type { HostScope } from '../access/host-scope.ts';
import type { KmodSkew, KmodSkewList } from '../api-types.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { decodeParameters } from '../hosts/host-inventory.mapper.ts';
import { coverageOfSelection } from '../kmods/kmod-list.queries.ts';
import { type KmodSubject, resolveKmod } from '../kmods/kmod-resolution.ts';
import { toResolution } from '../kmods/kmod.mapper.ts';
import { LoadedSets } from '../sets/loaded-sets.ts';
import { CursorService } from '../paging/cursor.service.ts';
import type { Selection } from '../selectors/selection.queries.ts';
import { ParameterSkew } from './parameter-skew.ts';
import { toFirst, toSkewItem, toVariant } from './skew.mapper.ts';
import {
  firstEvents,
  hostsToCompare,
  pageOfSkew,
  pageOfVariants,
  parametersOfHosts,
  variantKey,
} from './skew.queries.ts';
import { SKEW_KINDS, type skewListQuery, type skewQuery } from './skew.schema.ts';

/** Hosts whose parameters are compared: each has some 10 KB of them, which are opened here. */
const COMPARED_MAX = 2_000;
/** Opened at a time: some 20 ms, in which nobody else is served. */
const COMPARED_AT_ONCE = 100;

/** Where the same kmod is not the same. Rows, counts and coverage of one answer come from one snapshot with one now(). */
@Injectable()
export class SkewService {
  readonly #database: DatabaseService;
  readonly #cursors: CursorService;
  readonly #sets: LoadedSets;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(CursorService) cursors: CursorService,
    @Inject(LoadedSets) sets: LoadedSets,
  ) {
    this.#database = database;
    this.#cursors = cursors;
    this.#sets = sets;
  }

  /** Kmods that are not the same on all hosts of a kernel, or not as they should be. @throws SelectorError; AppError cursor_invalid. */
  async list(query: z.output<typeof skewListQuery>, hosts: HostScope): Promise<Omit<KmodSkewList, 'freeze'>> {
    const { limit, cursor, kind, ...filters } = query;
    const kinds = kind ?? SKEW_KINDS;
    const scope = { list: 'skew', kinds, ...filters };
    const position = await this.#cursors.open(scope, cursor);
    const after = position === null ? null : String(position.key[0]);
    const filter = { ...filters, kinds, scope: hosts };
    const { rows, firsts, counted } = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const page = await pageOfSkew(sql, this.#sets, filter, after, limit + 1);
      const names = page.slice(0, limit).map((row) => row.name);
      return {
        rows: page,
        firsts: await firstEvents(sql, names, hosts),
        counted: await coverageOfSelection(sql, filter),
      };
    });
    const { asOf, selectorUnknown, ...coverage } = counted;
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    const more = rows.length > limit && last !== undefined;
    const asOfMs = position?.asOfMs ?? asOf.getTime();
    return {
      items: shown.map((row) =>
        toSkewItem(
          row,
          firsts.find((first) => first.kmod === row.name),
        ),
      ),
      nextCursor: more ? await this.#cursors.seal(scope, { key: [last.name], asOfMs }) : null,
      selectorUnknown,
      asOf: asOf.toISOString(),
      coverage,
    };
  }

  /** In which ways one kmod is loaded. @throws KmodNameError; SelectorError; AppError kmod_unknown, cursor_invalid. */
  async show(
    requested: string,
    query: z.output<typeof skewQuery>,
    hosts: HostScope,
  ): Promise<Omit<KmodSkew, 'freeze'>> {
    const { limit, cursor, ...chosen } = query;
    const selection = { ...chosen, scope: hosts };
    const scope = { list: 'kmod skew', requested, ...chosen };
    const position = await this.#cursors.open(scope, cursor);
    const read = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const subject = await resolveKmod(sql, this.#sets, requested, hosts);
      const rows = await pageOfVariants(sql, this.#sets, subject, selection, position?.key ?? null, limit + 1);
      const total = rows[0]?.total ?? 0;
      const parameters = position === null ? await this.#parameters(sql, subject, selection, total) : null;
      const [first] = await firstEvents(sql, [subject.name], hosts);
      return { subject, rows, parameters, first, counted: await coverageOfSelection(sql, selection) };
    });
    const { asOf, selectorUnknown, ...coverage } = read.counted;
    const shown = read.rows.slice(0, limit);
    const last = shown.at(-1);
    const more = read.rows.length > limit && last !== undefined;
    const asOfMs = position?.asOfMs ?? asOf.getTime();
    return {
      ...toResolution(read.subject),
      hosts: read.rows[0]?.total ?? 0,
      items: shown.map(toVariant),
      nextCursor: more ? await this.#cursors.seal(scope, { key: variantKey(last), asOfMs }) : null,
      parameters: read.parameters,
      first: toFirst(read.first),
      selectorUnknown,
      asOf: asOf.toISOString(),
      coverage,
    };
  }

  async #parameters(sql: Sql, subject: KmodSubject, selection: Selection, of: number): Promise<KmodSkew['parameters']> {
    const hosts = await hostsToCompare(sql, this.#sets, subject, selection, COMPARED_MAX);
    const skew = new ParameterSkew();
    for (let at = 0; at < hosts.length; at += COMPARED_AT_ONCE) {
      const some = hosts.slice(at, at + COMPARED_AT_ONCE);
      const names = new Map(some.map((host) => [host.id, host.name]));
      const ids = [...names.keys()];
      for (const row of await parametersOfHosts(sql, ids)) {
        const host = { id: row.host_id, name: names.get(row.host_id) ?? '' };
        skew.add(host, decodeParameters(row.value).get(subject.name) ?? {});
      }
    }
    return { compared: skew.compared, of, differing: skew.differing() };
  }
}
