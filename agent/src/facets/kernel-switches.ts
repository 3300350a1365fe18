import type { HostFiles } from '../host/host-files.ts';
import { whyUnreadable } from '../host/read-outcome.ts';

/** Switches of the running kernel that decide what loads. Undefined: the kernel has none, or it cannot be read (then it is in `unreadable`). */
export interface KernelSwitches {
  readonly modulesDisabled: boolean | undefined;
  /** none, integrity, confidentiality. */
  readonly lockdown: string | undefined;
  readonly sigEnforce: boolean | undefined;
  readonly secureBoot: boolean | undefined;
  readonly unreadable: readonly string[];
}

const MODULES_DISABLED = '/proc/sys/kernel/modules_disabled';
const LOCKDOWN = '/sys/kernel/security/lockdown';
const SIG_ENFORCE = '/sys/module/module/parameters/sig_enforce';
const EFI = '/sys/firmware/efi';

/** The variable with the GUID of the UEFI specification (EFI_GLOBAL_VARIABLE): 4 bytes of attributes, then the value. */
const SECURE_BOOT = '/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';

/** Reads them all. */
export async function readKernelSwitches(files: HostFiles): Promise<KernelSwitches> {
  const unreadable: string[] = [];
  const read = async (path: string): Promise<string | undefined> => {
    const text = await files.readText(path);
    if (text.kind === 'ok') return text.value.trim();
    if (text.kind !== 'not_found') unreadable.push(whyUnreadable(path, text));
    return undefined;
  };
  const modulesDisabled = await read(MODULES_DISABLED);
  const lockdown = await read(LOCKDOWN);
  const sigEnforce = await read(SIG_ENFORCE);
  return {
    modulesDisabled: modulesDisabled === undefined ? undefined : modulesDisabled === '1',
    lockdown: lockdown === undefined ? undefined : /\[(\w+)\]/.exec(lockdown)?.[1],
    sigEnforce: sigEnforce === undefined ? undefined : sigEnforce === 'Y',
    secureBoot: await readSecureBoot(files, unreadable),
    unreadable,
  };
}

async function readSecureBoot(files: HostFiles, unreadable: string[]): Promise<boolean | undefined> {
  if ((await files.stat(EFI)).kind !== 'ok') return undefined;
  const variable = await files.readBytes(SECURE_BOOT, 64);
  if (variable.kind === 'ok') return variable.value[4] === 1;
  unreadable.push(whyUnreadable(SECURE_BOOT, variable));
  return undefined;
}
