import { randomBytes } from 'node:crypto';
import type { TestFleet } from '../../e2e/support/fleet.ts';
import type { AdminDoor } from '../support/admin-door.ts';
import { joinPlanted } from '../support/joined-hosts.ts';
import { KnownValues } from './known-values.ts';

/** Hosts of either group that are kept alive. */
const KEPT = 4;

/** A group of hosts that a narrowed role may see, or may not. */
export type Group = 'mine' | 'foreign';

/**
 * Hosts with names, labels and kmods that nothing else has, in two groups: `group=mine` and `group=foreign`. Whoever may not see the second must never be
 * told of its words.
 */
export class Planted {
  readonly #fleet: TestFleet;
  readonly #door: AdminDoor;
  readonly #mark = randomBytes(5).toString('hex');
  readonly #ids: Record<Group, string[]> = { mine: [], foreign: [] };
  #made = 0;

  constructor(fleet: TestFleet, door: AdminDoor) {
    this.#fleet = fleet;
    this.#door = door;
  }

  /** Words that only hosts of the group have. */
  words(group: Group): readonly string[] {
    return [
      `${group}-${this.#mark}`,
      `${group}_kmod_${this.#mark}`,
      `label-${group}-${this.#mark}`,
      `reason-${group}-${this.#mark}`,
    ];
  }

  async plant(): Promise<void> {
    for (const group of ['mine', 'foreign'] as const) for (let at = 0; at < KEPT; at += 1) await this.#join(group);
  }

  /** Joins new hosts in the place of those that were retired. */
  async replenish(): Promise<void> {
    const { body } = await this.#door.api('GET', '/api/v1/hosts?limit=1000');
    const living = (body['items'] as { labels: Record<string, string> }[] | undefined) ?? [];
    for (const group of ['mine', 'foreign'] as const) {
      const there = living.filter(({ labels }) => labels['mark'] === `label-${group}-${this.#mark}`).length;
      for (let at = there; at < KEPT / 2; at += 1) await this.#join(group);
    }
  }

  knownValues(): KnownValues {
    const known = new KnownValues();
    this.addKnown(known);
    known.add('drivers', 'e1000e', 'virtio_net');
    known.add(
      'selector',
      'group=mine',
      'group=foreign',
      'group in (mine,foreign)',
      '@kernel~6.*',
      '@kernel<6.12',
      '@loaded=floppy',
      '@driver=e1000e,group!=mine',
    );
    known.add('kmods', 'floppy', 'loop', ...this.words('mine').slice(1, 2));
    return known;
  }

  /** Ids of foreign hosts are known to an attacker; their names and words are not. */
  addKnown(known: KnownValues): void {
    known.add('hosts', ...this.#ids.mine.slice(-KEPT), ...this.#ids.foreign.slice(-KEPT));
  }

  async #join(group: Group): Promise<void> {
    const [name = '', kmod = '', mark = ''] = this.words(group);
    this.#made += 1;
    const hostId = await joinPlanted(this.#fleet, this.#door, `${name}-${this.#made}`, { group, mark }, [
      'floppy',
      'loop',
      kmod,
    ]);
    this.#ids[group].push(hostId);
    await this.#door.api('POST', '/api/v1/actions', {
      host: hostId,
      verb: 'load',
      kmod,
      dryRun: true,
      reason: `reason-${group}-${this.#mark}`,
    });
  }
}
