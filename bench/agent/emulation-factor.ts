import type { LabHost } from '../../lab/src/lab.ts';
import { median } from '../../scripts/lib/measured.ts';
import { runProgram } from '../../scripts/lib/program.ts';

const RUNS = 5;

/**
 * What the agent does at rest, as a loop: small files of procfs read, parted into lines, hashed. Prints the CPU time of the loop, ms. In the
 * agent's own mode, without a compiler.
 */
const LOOP = `
const { readFileSync } = require('node:fs');
const { createHash } = require('node:crypto');
const began = process.cpuUsage();
let fields = 0;
for (let round = 0; round < 500; round++) {
  for (const file of ['status', 'stat', 'limits', 'mountinfo']) {
    const lines = readFileSync('/proc/self/' + file, 'utf8').split('\\n');
    fields += lines.flatMap((line) => line.split(/\\s+/)).length;
  }
  createHash('sha256').update('x'.repeat(4096)).digest('hex');
}
const { user, system } = process.cpuUsage(began);
console.log((user + system) / 1000);
`;
const FLAGS = ['--jitless', '--max-semi-space-size=1', '--optimize-for-size'];

/** How many times more CPU time the same work takes on this lab host than on the machine that emulates it; medians, one after the other. */
export async function emulationFactor(host: LabHost): Promise<number> {
  await host.writeFile('/run/bench-loop.cjs', LOOP);
  const emulated: number[] = [];
  const native: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    emulated.push(Number(await host.must(`/usr/lib/modfleet/node ${FLAGS.join(' ')} /run/bench-loop.cjs`)));
    native.push(Number((await runProgram(process.execPath, [...FLAGS, '-e', LOOP])).output));
  }
  return median(emulated) / median(native);
}
