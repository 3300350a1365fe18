import { KmodState } from '@modfleet/proto';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { readProcModules } from '../../kmod/proc-modules.ts';
import { readSysParameters } from '../../kmod/sys-module.ts';
import type { KmodRecord } from './host-snapshot.ts';

/** A kmod is listed from before its init to after its exit; these states are neither loaded nor gone. */
const HALFWAY = new Map<KmodState, NonNullable<KmodRecord['halfway']>>([
  [KmodState.KMOD_STATE_LOADING, 'loading'],
  [KmodState.KMOD_STATE_UNLOADING, 'unloading'],
]);

/** In the order in which they were loaded: /proc/modules has the newest first. */
export async function readKmods(files: HostFiles, wanted: readonly string[]): Promise<KmodRecord[]> {
  const listed = [...(valueOf(await readProcModules(files)) ?? [])].reverse();
  const names = new Set(listed.map((one) => one.name));
  const records = await Promise.all(
    listed
      .filter((one) => wanted.includes(one.name))
      .map(async ({ name, state }): Promise<KmodRecord> => {
        const halfway = HALFWAY.get(state);
        if (halfway !== undefined) return { name, loaded: false, halfway, parameters: [] };
        const loaded = state === KmodState.KMOD_STATE_LIVE;
        return { name, loaded, parameters: await readParameters(files, name) };
      }),
  );
  return [
    ...records,
    ...(await Promise.all(
      wanted
        .filter((name) => !names.has(name))
        // Code that is built in is not listed, and may have parameters.
        .map(async (name) => ({ name, loaded: false, parameters: await readParameters(files, name) })),
    )),
  ];
}

async function readParameters(files: HostFiles, name: string): Promise<KmodRecord['parameters']> {
  const parameters = valueOf(await readSysParameters(files, name)) ?? [];
  return parameters.flatMap((one): [string, string][] => (one.kind === 'value' ? [[one.name, one.value]] : []));
}
