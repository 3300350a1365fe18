import type { ReloadPath } from '@modfleet/proto';
import { observeDevices } from '../../facets/devices.ts';
import { readModulesLoad } from '../../facets/modules-load.ts';
import type { HostView } from './host-view.ts';
import { isClosedByKernel, reloadPathsOf, unknownPaths } from './reload-paths.ts';

/** What can bring kmods back on the host at one moment; as for a view, each part is read when it is first asked for, and once. */
export class PathsBack {
  readonly #view: HostView;
  #lists: ReturnType<typeof readModulesLoad> | undefined;
  #devices: ReturnType<typeof observeDevices> | undefined;

  constructor(view: HostView) {
    this.#view = view;
  }

  /** What could not be read is a way of the kind `unknown`: nobody is told that a kmod cannot return because a file could not be read. */
  async of(kmod: string): Promise<ReloadPath[]> {
    const { files } = this.#view.sources;
    const [index, config, { modulesDisabled }] = [
      await this.#view.index(),
      await this.#view.config(),
      await this.#view.kernel(),
    ];
    if (isClosedByKernel(kmod, { config, modulesDisabled })) return [];
    if (index === undefined) return unknownPaths([(await this.#view.indexMissing()) ?? '', ...config.unreadable]);
    const lists = await (this.#lists ??= readModulesLoad(files, config.kernelCmdline));
    const devices = await (this.#devices ??= observeDevices(files));
    return reloadPathsOf(kmod, {
      index,
      config,
      modulesLoad: lists.lines,
      devices: devices.kind === 'value' ? devices.value.devices : [],
      modulesDisabled,
      unseen: [
        ...config.unreadable,
        ...lists.unreadable,
        ...(devices.kind === 'value' ? [] : [`devices: ${devices.reason}`]),
      ],
    });
  }
}
