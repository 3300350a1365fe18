/** `node bench/swarm/capture-main.ts`, with the lab's packages installed and everything built: captures both kernel series anew. */
import { capture } from './capture.ts';

for (const series of ['6.1', '6.12'] as const) await capture(series);
process.exit();
