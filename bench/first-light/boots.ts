import { bootHost, HOST_KINDS, KERNEL_SERIES } from '../../lab/src/lab.ts';
import { median } from '../../scripts/lib/measured.ts';
import { type Figure, figure } from '../figures.ts';

const RUNS = 3;

/** What the lab's description names, in s; the machine's other work comes on top. */
const REACH = { fast: 5, full: 12 } as const;

/** From the call to the first command's answer, without an agent, one host at a time. */
export async function measureBoots(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const kind of HOST_KINDS) {
    for (const series of KERNEL_SERIES) {
      const times: number[] = [];
      for (let run = 0; run < RUNS; run++) {
        const began = performance.now();
        const host = await bootHost({ name: 'bench-boot', kind, series, agent: false });
        await host.run('true');
        times.push((performance.now() - began) / 1000);
        await host.kill();
      }
      const note = `median of ${RUNS}, longest ${Math.max(...times).toFixed(1)}`;
      figures.push(figure(`${kind} lab host, ${series}: first command`, median(times), 's', REACH[kind], note));
    }
  }
  return figures;
}
