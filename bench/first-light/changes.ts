import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { median } from '../../scripts/lib/measured.ts';
import type { LabFleet } from '../../tests/e2e/support/lab-fleet.ts';
import { type Figure, figure } from '../figures.ts';

const KMOD = 'mf_hello';
const LIMIT_MS = 60_000;

/**
 * From a kmod's init routine, by hand on the host, to the API's answer that has it. The beginning is seen on the host's serial console, where
 * the kernel writes the kmod's greeting as it happens: no clock of the host is used. Asked every 10 ms.
 */
export async function measureChanges(
  lab: LabFleet,
  name: string,
  title: string,
  loads: number,
  reachMs: number,
): Promise<Figure[]> {
  const host = lab.host(name);
  await host.must('dmesg -n 8');
  await host.run(`rmmod ${KMOD}`);
  await lab.fresh(name);
  const times: number[] = [];
  for (let load = 0; load < loads; load++) {
    await until(async () => !(await isInAnswer(lab, name)));
    const greeted = consoleSays(host.consoleLog, `${KMOD}: hello`);
    const [beganAt, seenAt] = await Promise.all([
      greeted,
      until(() => isInAnswer(lab, name)),
      host.must(`modprobe ${KMOD}`),
    ]);
    times.push(seenAt - beganAt);
    await host.must(`rmmod ${KMOD}`);
  }
  const note = `${loads} loads, by hand`;
  return [
    figure(`${title}: median`, median(times), 'ms', reachMs, note),
    figure(`${title}: longest`, Math.max(...times), 'ms', reachMs, note),
  ];
}

async function isInAnswer(lab: LabFleet, name: string): Promise<boolean> {
  const page = await lab.fleet.api('GET', `/api/v1/hosts/${name}/kmods?presence=loaded&name=${KMOD}`);
  return (page.body['items'] as readonly unknown[]).length > 0;
}

/** The moment at which it became true. */
async function until(isSo: () => Promise<boolean>): Promise<number> {
  const deadline = performance.now() + LIMIT_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${LIMIT_MS / 1000} s`);
    await delay(10);
  }
  return performance.now();
}

/** The moment at which the console's file, from its present end on, has the text. */
async function consoleSays(file: string, text: string): Promise<number> {
  const from = statSync(file).size;
  const handle = openSync(file, 'r');
  try {
    return await until(() => {
      const added = Buffer.alloc(Math.max(0, statSync(file).size - from));
      readSync(handle, added, 0, added.length, from);
      return Promise.resolve(added.toString('utf8').includes(text));
    });
  } finally {
    closeSync(handle);
  }
}
