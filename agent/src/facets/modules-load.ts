import type { ModulesLoadLine } from '@modfleet/proto';
import type { HostFiles } from '../host/host-files.ts';
import { whyUnreadable } from '../host/read-outcome.ts';
import { kernelName } from '../kmod/kernel-name.ts';
import { parseCmdline } from '../kmod/kernel-cmdline.ts';
import { readConfigFiles, type ConfigFile } from '../kmod/modprobe-files.ts';

/** Where systemd-modules-load looks, higher folders first (modules-load.d(5)). */
const FOLDERS = [
  '/etc/modules-load.d',
  '/run/modules-load.d',
  '/usr/local/lib/modules-load.d',
  '/usr/lib/modules-load.d',
  '/lib/modules-load.d',
];

/** Debian's older list; usually a link in modules-load.d points to it. */
const ETC_MODULES = '/etc/modules';

/** Names loaded at boot, in order, and what could not be read. */
export interface ModulesLoad {
  readonly lines: readonly ModulesLoadLine[];
  readonly unreadable: readonly string[];
}

/** modules-load.d, /etc/modules and `modules_load=` of the kernel command line. */
export async function readModulesLoad(files: HostFiles, kernelCmdline: string): Promise<ModulesLoad> {
  const config = await readConfigFiles(files, FOLDERS);
  const lines = config.files.flatMap(parseNames);
  const unreadable = [...config.unreadable];
  if (!(await coversEtcModules(files, config.files))) {
    const modules = await files.readText(ETC_MODULES);
    if (modules.kind === 'ok') lines.push(...parseNames({ path: ETC_MODULES, text: modules.value }));
    else if (modules.kind !== 'not_found') unreadable.push(whyUnreadable(ETC_MODULES, modules));
  }
  return { lines: [...cmdlineNames(kernelCmdline), ...lines], unreadable };
}

/** Debian links /etc/modules-load.d/modules.conf to /etc/modules: it must not count twice. */
async function coversEtcModules(files: HostFiles, config: readonly ConfigFile[]): Promise<boolean> {
  for (const file of config) {
    const real = await files.realPath(file.path);
    if (real.kind === 'ok' && real.value === ETC_MODULES) return true;
  }
  return false;
}

function parseNames(file: ConfigFile): ModulesLoadLine[] {
  return file.text.split('\n').flatMap((text, index) => {
    const name = text.trim();
    return name === '' || name.startsWith('#') || name.startsWith(';')
      ? []
      : [{ name: kernelName(name.split(/\s/)[0] ?? name), file: file.path, line: index + 1 }];
  });
}

function cmdlineNames(kernelCmdline: string): ModulesLoadLine[] {
  return parseCmdline(kernelCmdline)
    .filter((word) => /^(rd\.)?modules[-_]load$/.test(word.key))
    .flatMap((word) => (word.value ?? '').split(','))
    .filter((name) => name !== '')
    .map((name) => ({ name: kernelName(name), file: '/proc/cmdline', line: 0 }));
}
