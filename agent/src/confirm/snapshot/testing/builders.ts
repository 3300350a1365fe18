import type { AddressState, HostSnapshot, LinkState } from '../host-snapshot.ts';

/** A card that is up. */
export const aLink = (name: string, more: Partial<LinkState> = {}): LinkState => ({
  index: 0,
  name,
  kind: '',
  up: true,
  mtu: 1500,
  mac: '52:54:00:00:00:01',
  permanentMac: '',
  master: '',
  parent: '',
  options: [],
  traits: [],
  later: [],
  member: [],
  attributes: [],
  ...more,
});

/** An address of ens3 that was set by hand. */
export const anAddress = (address: string, more: Partial<AddressState> = {}): AddressState => ({
  link: 'ens3',
  family: 'inet',
  address,
  dynamic: false,
  options: [],
  lifetimes: [],
  strange: [],
  ...more,
});

export const aSnapshot = (more: Partial<HostSnapshot> = {}): HostSnapshot => ({
  links: [],
  addresses: [],
  routes: [],
  rules: [],
  settings: [],
  kmods: [],
  ...more,
});
