import { capture } from './capture.ts';

for (const series of ['6.1', '6.12'] as const) await capture(series);
process.exit();
