import type { KmodHost } from '@modfleet/server/api-types';
import { someHosts } from './blocks.ts';
import { shortBuild } from './kmod-host-columns.ts';

/** One build that is loaded somewhere on the page. */
export interface LoadedBuild {
  readonly buildId: string | null;
  readonly version: string | null;
  readonly kernelRelease: string;
  readonly hosts: string[];
}

/** The builds that are loaded on the rows, most hosts first. */
export function loadedBuilds(rows: readonly KmodHost[]): LoadedBuild[] {
  const groups = new Map<string, LoadedBuild>();
  for (const { loaded, kernelRelease, host } of rows) {
    if (loaded === null) continue;
    const key = JSON.stringify([loaded.buildId, loaded.version, kernelRelease]);
    const group = groups.get(key) ?? { buildId: loaded.buildId, version: loaded.version, kernelRelease, hosts: [] };
    group.hosts.push(host.name);
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => b.hosts.length - a.hosts.length);
}

/** Lines for a page; none when all hosts run one build. */
export function buildLines(rows: readonly KmodHost[]): string[] {
  const builds = loadedBuilds(rows);
  if (new Set(builds.map((build) => build.buildId ?? `${build.version}@${build.kernelRelease}`)).size < 2) return [];
  return builds.map((build) => {
    const id = build.buildId === null ? 'build id unreadable' : shortBuild(build.buildId);
    const what = build.version === null ? id : `${id} (version ${build.version})`;
    return `${what} for ${build.kernelRelease}: ${someHosts(build.hosts)}`;
  });
}

/** The hosts whose loaded code is not what lies on their disk. */
export function differingLine(rows: readonly KmodHost[]): string[] {
  const hosts = rows.filter((row) => row.fileDiffers === true).map((row) => row.host.name);
  return hosts.length === 0
    ? []
    : [
        `! ${someHosts(hosts)}: the file on disk is another build than the loaded one; a reload or reboot would change it`,
      ];
}
