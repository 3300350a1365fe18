import pg from 'pg';

export interface SeedSize {
  readonly hosts: number;
  /** Distinct `loaded` sets among them. */
  readonly sets: number;
}

const KMODS = 150;

/** So many hosts, connected and fresh by the running server's word, with 150 kmods each, labels, and one event a host. */
export async function seedHosts(databaseUrl: string, { hosts, sets }: SeedSize): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const run = (text: string, ...values: unknown[]) => client.query(text, values);
    await run(`INSERT INTO kmod (name) SELECT 'bench_' || n FROM generate_series(1, $1::int) n`, KMODS);
    // Every set differs from the first in the build of one kmod.
    await run(
      `INSERT INTO kmod_build (kmod_id, key, build_id, size, taint, version, srcversion, state)
       SELECT id, sha256(name::bytea), encode(sha256(name::bytea), 'hex'), 16384, '', '', '', 1 FROM kmod WHERE name LIKE 'bench\\_%'
       UNION ALL
       SELECT k.id, sha256(('odd ' || s)::bytea), 'odd ' || s, 16384, '', '', '', 1
         FROM generate_series(0, $1::int - 1) s JOIN kmod k ON k.name = 'bench_' || (1 + s % $2::int)`,
      sets,
      KMODS,
    );
    await run(
      `INSERT INTO loaded_set (digest, build_ids)
       SELECT sha256(('loaded ' || s)::bytea), array_replace(plain.ids, own.id, odd.id)
         FROM generate_series(0, $1::int - 1) s
         JOIN kmod_build odd ON odd.key = sha256(('odd ' || s)::bytea)
         JOIN kmod k ON k.id = odd.kmod_id
         JOIN kmod_build own ON own.key = sha256(k.name::bytea)
        CROSS JOIN (SELECT array_agg(b.id ORDER BY k.name COLLATE "C") AS ids FROM kmod k JOIN kmod_build b ON b.key = sha256(k.name::bytea)
                     WHERE k.name LIKE 'bench\\_%') plain`,
      sets,
    );
    await run(
      `INSERT INTO available_set (digest, kernel_release, content_digest, kmod_count) VALUES (sha256('tree'), '6.1.0-49-amd64', sha256('tree'), $1)`,
      KMODS,
    );
    await run(
      `INSERT INTO available_kmod (set_id, kmod_id, path, builtin, build_id, signer)
       SELECT (SELECT id FROM available_set WHERE digest = sha256('tree')), id, 'kernel/' || name || '.ko', false, encode(sha256(name::bytea), 'hex'), 'a distribution' FROM kmod WHERE name LIKE 'bench\\_%'`,
    );
    await run(
      `INSERT INTO host (id, name, facts, kernel_release, os_id, arch, package_family, agent_version, mode, labels, key_fingerprint)
       SELECT gen_random_uuid(), 'bench-' || lpad(n::text, 7, '0'),
              '{"kernelVersion": "#1 SMP bench", "osPrettyName": "Debian GNU/Linux 12 (bookworm)"}', '6.1.0-49-amd64', 'debian', 'x86_64', 'deb', '0.1.0', 'act',
              jsonb_build_object('env', CASE WHEN n % 10 = 0 THEN 'staging' ELSE 'prod' END, 'rack', 'r' || n % 200), sha256(n::text::bytea)
         FROM generate_series(1, $1::int) n`,
      hosts,
    );
    await run(
      `UPDATE host_inventory i SET loaded = s.id, available = t.id, loaded_observed_at = now(), loaded_received_at = now(), available_observed_at = now()
         FROM (SELECT id, row_number() OVER () % $1::int AS place FROM host) h
         JOIN loaded_set s ON s.digest = sha256(('loaded ' || h.place)::bytea) JOIN available_set t ON t.digest = sha256('tree')
        WHERE i.host_id = h.id`,
      sets,
    );
    await run(
      `INSERT INTO host_session (host_id, session_no, replica_id, boot_id, address, vouched)
       SELECT h.id, nextval('host_session_no_seq'), r.id, 'boot', '192.0.2.7', 62 FROM host h, (SELECT id FROM replica ORDER BY beat_at DESC LIMIT 1) r`,
    );
    await run(
      `INSERT INTO kmod_event (at, host_id, kmod_id, kind, source)
       SELECT now() - make_interval(secs => row_number() OVER (ORDER BY h.id) % 80000), h.id, k.id, 1, 'uevent' FROM host h, kmod k WHERE k.name = 'bench_1'`,
    );
    await run('VACUUM ANALYZE');
  } finally {
    await client.end();
  }
}
