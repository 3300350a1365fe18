/**
 * A selector as a three-valued SQL expression: true, false, or NULL for "a fact that decides is not fresh". Postgres's AND is Kleene's, so one false
 * requirement makes a host not match whatever is unknown of it.
 *
 * Facts of a machine are known while its host is connected and not quarantined; @loaded and @driver while their facet is fresh. Labels and @name are the
 * server's own and always known.
 *
 * Versions are compared in JavaScript over the distinct releases of the fleet (a few dozen), not in SQL: dpkg's and rpm's orders are no collations.
 */
import { assertNever } from '@modfleet/proto';
import type { LabelRequirement } from '../access/host-scope.ts';
import type { Sql } from '../database/database.service.ts';
import { likeOfGlob, SqlParams } from '../database/sql-params.ts';
import { compareKernelReleases } from './kernel-release.ts';
import type { FactName, OrderOperator, Requirement, Selector } from './selector.ast.ts';

/** Columns of machine facts, of the view `host_standing`; @loaded and @driver live in sets. */
const COLUMN_OF = {
  name: 'h.name',
  kernel: 'h.kernel_release',
  os: 'h.os_id',
  arch: 'h.arch',
  mode: 'h.mode',
} as const;

/** True while what a host says of its machine is known to hold. Null-safe: never NULL. */
const MACHINE_KNOWN = 'h.known';

/** @returns an expression over `host_standing h`; runs in the transaction of the statement that uses it. */
export async function selectorExpression(sql: Sql, selector: Selector, params: SqlParams): Promise<string> {
  const labels = selector.filter(isLabel);
  const parts =
    labels.length === 0
      ? []
      : [labelSetIn(labels.map((each) => labelExpression(each, params, 'l.labels')).join(' AND '))];
  for (const requirement of selector)
    if (!isLabel(requirement)) parts.push(await requirementExpression(sql, requirement, params));
  return parts.length === 0 ? 'true' : parts.map((part) => `(${part})`).join(' AND ');
}

function isLabel(requirement: Requirement): requirement is LabelRequirement {
  return requirement.kind === 'label' || requirement.kind === 'label_exists';
}

/** Text: the host's labels are among those of which `condition` (over `label_set l`) holds. Never NULL. */
export function labelSetIn(condition: string): string {
  return `h.label_set IN (SELECT l.id FROM label_set l WHERE ${condition})`;
}

async function requirementExpression(
  sql: Sql,
  requirement: Exclude<Requirement, LabelRequirement>,
  params: SqlParams,
): Promise<string> {
  switch (requirement.kind) {
    case 'fact_set': {
      const has = setExpression(requirement.fact, requirement.values, params);
      return known(requirement.fact, requirement.operator === 'in' ? has : `NOT ${has}`);
    }
    case 'fact_glob': {
      const has = globExpression(requirement.fact, requirement.glob, params);
      return known(requirement.fact, requirement.operator === '~' ? has : `NOT ${has}`);
    }
    case 'fact_order':
      return known('kernel', await orderExpression(sql, requirement.operator, requirement.version, params));
    default:
      return assertNever(requirement);
  }
}

/** Over `labels` (SQL). They are always known: never NULL. */
export function labelExpression(requirement: LabelRequirement, params: SqlParams, labels = 'h.labels'): string {
  if (requirement.kind === 'label_exists')
    return `${requirement.exists ? '' : 'NOT '}(${labels} ? ${params.add(requirement.key)})`;
  const has = `coalesce(${labels} ->> ${params.add(requirement.key)} = ANY (${params.add(requirement.values)}::text[]), false)`;
  return requirement.operator === 'in' ? has : `NOT ${has}`;
}

/** `expression` where the fact is known, else NULL. */
function known(fact: FactName, expression: string): string {
  switch (fact) {
    case 'name':
      return expression;
    case 'kernel':
    case 'os':
    case 'arch':
    case 'mode':
      return `CASE WHEN ${MACHINE_KNOWN} THEN ${expression} END`;
    case 'loaded':
      return `CASE WHEN h.loaded_coverage = 'fresh' THEN ${expression} END`;
    case 'driver':
      return `CASE WHEN h.devices_coverage = 'fresh' THEN ${expression} END`;
    default:
      return assertNever(fact);
  }
}

function setExpression(fact: FactName, values: readonly string[], params: SqlParams): string {
  const list = `ANY (${params.add(values)}::text[])`;
  switch (fact) {
    case 'loaded':
      return loadedHas(`k.name = ${list}`);
    case 'driver':
      return driverHas(`replace(d.driver, '-', '_') = ${list}`);
    default:
      return `${COLUMN_OF[fact]} = ${list}`;
  }
}

function globExpression(fact: FactName, glob: string, params: SqlParams): string {
  const pattern = params.add(likeOfGlob(glob));
  switch (fact) {
    case 'loaded':
      return loadedHas(`k.name LIKE ${pattern}`);
    case 'driver':
      return driverHas(`replace(d.driver, '-', '_') LIKE ${pattern}`);
    default:
      return `${COLUMN_OF[fact]} LIKE ${pattern}`;
  }
}

/** The uncorrelated sub-select is evaluated once a statement. */
function loadedHas(kmodCondition: string): string {
  return `EXISTS (SELECT FROM loaded_set s WHERE s.id = h.loaded AND s.build_ids && ARRAY(SELECT b.id FROM kmod k JOIN kmod_build b ON b.kmod_id = k.id WHERE ${kmodCondition}))`;
}

function driverHas(condition: string): string {
  return `EXISTS (SELECT FROM device_driver d WHERE d.set_id = h.devices AND d.driver <> '' AND ${condition})`;
}

async function orderExpression(sql: Sql, operator: OrderOperator, version: string, params: SqlParams): Promise<string> {
  const rows = await sql.query<{ family: string; release: string }>(
    'SELECT DISTINCT package_family AS family, kernel_release AS release FROM host WHERE retired_at IS NULL',
  );
  const matching = rows.filter(({ family, release }) =>
    holds(operator, compareKernelReleases(release, version, family)),
  );
  const families = params.add(matching.map((row) => row.family));
  const releases = params.add(matching.map((row) => row.release));
  return `(h.package_family, h.kernel_release) IN (SELECT * FROM unnest(${families}::text[], ${releases}::text[]))`;
}

function holds(operator: OrderOperator, order: -1 | 0 | 1): boolean {
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    default:
      return assertNever(operator);
  }
}
