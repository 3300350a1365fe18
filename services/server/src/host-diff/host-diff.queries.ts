import type { Sql } from '../database/database.service.ts';
import type { DeviceRow } from '../hosts/host-inventory.queries.ts';
import type { KernelField } from './host-diff.ts';

export async function kernelOfHost(sql: Sql, hostId: string): Promise<Record<KernelField, string>> {
  const [row] = await sql.query<Record<KernelField, string>>(
    `SELECT kernel_release AS "kernelRelease", arch AS architecture, os_id AS os, os_version_id AS "osVersion" FROM host WHERE id = $1`,
    [hostId],
  );
  if (row === undefined) throw new Error(`the host ${hostId} is gone`);
  return row;
}

/** Canonical bytes of a configuration. */
export async function configValue(sql: Sql, set: number): Promise<Buffer | undefined> {
  return (await sql.query<{ value: Buffer }>('SELECT value FROM config_set WHERE id = $1', [set]))[0]?.value;
}

/** All devices of a set. */
export function devicesOfSet(sql: Sql, set: number): Promise<DeviceRow[]> {
  return sql.query<DeviceRow>(
    `SELECT d.bus, d.address, d.modalias, d.driver, k.name AS kmod, d.builtin, d.names
       FROM device_driver d LEFT JOIN kmod k ON k.id = d.kmod_id WHERE d.set_id = $1`,
    [set],
  );
}
