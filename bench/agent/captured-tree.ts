import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabHost } from '../../lab/src/lab.ts';
import { repository } from '../../scripts/lib/paths.ts';

const CAPTURE = readFileSync(join(repository, 'agent/testdata/capture.sh'), 'utf8');

/** Members of a bus without modalias and driver, which capture.sh leaves out: the agent looks at them, too, and misses are what costs it most. */
const ALL_MEMBERS = 'cd / && cp --no-dereference --parents --remove-destination sys/bus/*/devices/* /run/bench-tree';

/** What the agent's facets read of a lab host, and where they find nothing, as a .tar.gz; some 60 KB. */
export async function captureTree(host: LabHost): Promise<Buffer> {
  await host.writeFile('/run/bench-capture.sh', CAPTURE);
  await host.must(`sh /run/bench-capture.sh /run/bench-tree && (${ALL_MEMBERS})`);
  await host.must('tar -C /run/bench-tree -czf /run/bench-tree.tar.gz .');
  return Buffer.from(await host.must('base64 -w0 /run/bench-tree.tar.gz'), 'base64');
}
