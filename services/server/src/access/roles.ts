/** What an account may be given, from the least on. */
export const ROLES = ['viewer', 'operator', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Which roles give what. docs/access.md shows this table; a test compares the two. */
export const PERMISSIONS = {
  /** See hosts, their inventory, events and actions; ask hosts now. */
  read: ['viewer', 'operator', 'approver', 'admin'],
  /** Load, unload, reload; take an action back. */
  act: ['operator', 'admin'],
  /** Stop the sending of actions to the whole fleet, and let it go on. */
  freeze: ['operator', 'admin'],
  /** Say yes to a rollout that somebody else asked for. */
  approve: ['approver', 'admin'],
  /** Label and retire hosts. */
  hosts: ['admin'],
  /** Make, see and revoke join tokens. */
  join: ['admin'],
  /** Make, see and end accounts, grants and other accounts' tokens. */
  access: ['admin'],
} as const satisfies Record<string, readonly Role[]>;

/** What concerns every host or none: a grant that is narrowed to some gives nothing of it. */
export const FLEET_ONLY: readonly (keyof typeof PERMISSIONS)[] = ['freeze', 'join'];

export type Permission = keyof typeof PERMISSIONS;

export function gives(role: Role, permission: Permission): boolean {
  return (PERMISSIONS[permission] as readonly Role[]).includes(role);
}

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}
