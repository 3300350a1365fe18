import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LabHost } from '../../../lab/src/lab.ts';
import { putFile } from '../../../lab/src/host/put-file.ts';
import { repository } from './fleet.ts';
import { eventually } from './wait.ts';

/** Where the agent can be stopped, in the order in which an action passes them (lab/tools/pause-points.c). */
export const PAUSE_POINTS = [
  'before intent',
  'after intent',
  'before step',
  'after step',
  'before result',
  'after result',
  'before tombstone',
  'after tombstone',
] as const;
export type PausePoint = (typeof PAUSE_POINTS)[number];

/** From the request to the last point, emulated. */
const REACHED_LIMIT_MS = 120_000;

/** Puts the library that stops programs on the host; what starts afterwards has it. */
export async function installPausePoints(host: LabHost): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'modfleet-pause-'));
  try {
    const library = join(folder, 'pause-points.so');
    const source = join(repository, 'lab/tools/pause-points.c');
    execFileSync('gcc', ['-O1', '-fPIC', '-shared', '-nostdlib', '-fno-stack-protector', '-o', library, source]);
    await putFile(host, '/usr/lib/pause-points.so', readFileSync(library), '755');
    await host.must('echo /usr/lib/pause-points.so > /etc/ld.so.preload');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What starts afterwards runs without it. */
export async function removePausePoints(host: LabHost): Promise<void> {
  await host.must('rm /etc/ld.so.preload');
}

/** The next who comes to this point stops there. */
export async function pauseAt(host: LabHost, point: PausePoint): Promise<void> {
  await host.must(`rm -f /run/paused; echo '${point}' > /run/pause-at`);
}

export async function isPaused(host: LabHost): Promise<void> {
  await eventually(
    `${host.name} comes to the point`,
    async () => (await host.run('test -e /run/paused')).code === 0 || undefined,
    REACHED_LIMIT_MS,
  );
}

/** Whoever stopped goes on, and nobody stops any more. */
export async function letGo(host: LabHost): Promise<void> {
  await host.must('rm -f /run/pause-at /run/paused');
}
