// Preloaded into a server that is measured (node --import): answers on a UNIX socket what only the process itself can tell.
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** ms between two looks; a delay is what comes on top of it. */
const RESOLUTION_MS = 5;

setFlagsFromString('--expose-gc');
/** @type {() => void} */
const collectGarbage = runInNewContext('gc');
let delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

/** @type {Record<string, () => unknown>} */
const answers = {
  '/memory': () => {
    // Twice: what the first one's finalizers let go is collected by the second.
    collectGarbage();
    collectGarbage();
    return process.memoryUsage();
  },
  '/cpu': () => ({ ...process.cpuUsage(), atMs: performance.now() }),
  '/watch-delays': () => {
    delays.disable();
    delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    delays.enable();
    return {};
  },
  '/delays': () => {
    const ms = (/** @type {number} */ ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
    return { p50: ms(delays.percentile(50)), p99: ms(delays.percentile(99)), max: ms(delays.max) };
  },
};

const socket = process.env['FLEET_PROBE'];
if (socket !== undefined) {
  rmSync(socket, { force: true });
  createServer((request, response) => {
    const answer = answers[request.url ?? ''];
    if (answer === undefined) response.writeHead(404).end();
    else response.end(JSON.stringify(answer()));
  })
    .listen(socket)
    .unref();
}
