import { assertNever } from '@modfleet/proto';
import type { AddressState, KmodRecord, LineState, LinkState, SettingState } from './host-snapshot.ts';
import { REMADE_KINDS } from './link-options.ts';

/** An option or attribute that has another value. */
interface Changed {
  readonly link: LinkState;
  readonly name: string;
  /** Undefined: it was not there. */
  readonly was: string | undefined;
  readonly is: string | undefined;
}

/** Something that the snapshot has and the host has not. */
export type Lack =
  | { readonly kind: 'kmod'; readonly kmod: KmodRecord; readonly halfway: KmodRecord['halfway'] }
  | {
      readonly kind: 'parameter';
      readonly kmod: string;
      readonly name: string;
      readonly was: string;
      readonly is: string;
    }
  /** A kmod that the plan loaded, and that was not there. */
  | { readonly kind: 'extra_kmod'; readonly name: string; readonly halfway: KmodRecord['halfway'] }
  | { readonly kind: 'link'; readonly link: LinkState }
  /** Another link under its name, made since: of another kind, or with other options. */
  | { readonly kind: 'replaced'; readonly link: LinkState; readonly is: LinkState }
  | ({ readonly kind: 'option' } & Changed)
  /** The same card under another name. */
  | { readonly kind: 'name'; readonly link: LinkState; readonly is: string }
  | { readonly kind: 'master'; readonly link: LinkState; readonly masterKind: string }
  | ({ readonly kind: 'member'; readonly masterKind: string } & Changed)
  | { readonly kind: 'mac'; readonly link: LinkState }
  | { readonly kind: 'mtu'; readonly link: LinkState }
  | ({ readonly kind: 'attribute' } & Changed)
  | { readonly kind: 'setting'; readonly setting: SettingState; readonly is: string | undefined }
  | { readonly kind: 'up'; readonly link: LinkState }
  /** An option that names a member. */
  | ({ readonly kind: 'later' } & Changed)
  | { readonly kind: 'address'; readonly address: AddressState }
  /** `shared`: others of the snapshot have the same destination and metric. */
  | { readonly kind: 'route'; readonly route: LineState; readonly shared: boolean }
  | { readonly kind: 'rule'; readonly rule: LineState };

/** A lack in words: what was there, and where that says something, what is there now. */
export function lackWords(lack: Lack): string {
  if (lack.kind === 'kmod' && lack.halfway !== undefined) return `kmod ${lack.kmod.name} is still ${lack.halfway}`;
  return `${lackName(lack)}${isWords(lack)}`;
}

/** What is lacking, whatever is there now. */
export function lackName(lack: Lack): string {
  switch (lack.kind) {
    case 'kmod':
      return `kmod ${lack.kmod.name}`;
    case 'parameter':
      return `parameter ${lack.kmod}.${lack.name}: was ${lack.was}`;
    case 'extra_kmod':
      return `kmod ${lack.name} ${lack.halfway === undefined ? 'is loaded' : `is still ${lack.halfway}`} and was not`;
    case 'link':
      return `interface ${named(lack.link)}`;
    case 'replaced':
      return `interface ${named(lack.link)}, which is another one now`;
    case 'option':
    case 'later':
      return `option ${lack.name} of ${named(lack.link)}: was ${lack.was ?? 'not there'}`;
    case 'name':
      return `name ${lack.link.name} of the interface that is now ${lack.is}`;
    case 'master':
      return `${lack.link.name} in ${lack.link.master}`;
    case 'member':
      return `${lack.name} of ${lack.link.name} in ${lack.link.master}: was ${lack.was ?? 'not there'}`;
    case 'mac':
      return `MAC address ${lack.link.mac} of ${lack.link.name}`;
    case 'mtu':
      return `MTU ${lack.link.mtu} of ${lack.link.name}`;
    case 'attribute':
      return `${lack.name} of ${lack.link.name}: was ${lack.was ?? 'not there'}`;
    case 'setting':
      return `${lack.setting.path}: was ${lack.setting.value}`;
    case 'up':
      return `${lack.link.name} up`;
    case 'address':
      return `address ${lack.address.address} on ${lack.address.link}${notMade(lack.address.strange)}`;
    case 'route':
      return `route ${lack.route.words.join(' ')}${notMade(lack.route.strange)}`;
    case 'rule':
      return `rule ${lack.rule.words.join(' ')}${notMade(lack.rule.strange)}`;
    default:
      return assertNever(lack);
  }
}

function isWords(lack: Lack): string {
  switch (lack.kind) {
    case 'parameter':
      return `, is ${lack.is}`;
    case 'setting':
      return `, is ${lack.is ?? 'gone'}`;
    case 'option':
    case 'later':
    case 'member':
    case 'attribute':
      return `, is ${lack.is ?? 'not there'}`;
    default:
      return '';
  }
}

const named = ({ name, kind }: LinkState): string => `${name}${kind === '' ? '' : ` (${kind})`}`;

function notMade(strange: readonly string[]): string {
  return strange.length === 0 ? '' : ` (${strange.join(', ')}: not made again)`;
}

/** Whether only time can help: a card that its driver has not made yet, and kmods, which are loaded elsewhere. */
export function isWaitedFor(lack: Lack): boolean {
  return lack.kind === 'link' && !REMADE_KINDS.has(lack.link.kind);
}

/** Whether a routine of a kmod has not returned yet. */
export function isHalfway(lack: Lack): boolean {
  return (lack.kind === 'kmod' || lack.kind === 'extra_kmod') && lack.halfway !== undefined;
}

/** How it was at the moment of the snapshot, and not how it was set up: the active member of a bond. */
export function isMomentary(lack: Lack): boolean {
  return lack.kind === 'later' && lack.name === 'active_slave';
}
