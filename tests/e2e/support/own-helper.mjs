// Runs on a lab host as root: starts a helper of its own beside the agent's, says to it what it is given, and prints what it heard.
// stdin: {args, chunks: base64[], ids: action ids, waitMs}; stdout: base64.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

const { args, chunks, ids, waitMs } = JSON.parse(await text(process.stdin));

/** First byte of a HelperFrame (proto/modfleet/helper/v1): a result, a rejection, a refusal. */
const ENDS = new Set([0x22, 0x42, 0x3a]);

/** Whether these bytes end all of these requests. */
function isEnded(bytes) {
  const open = new Set(ids);
  for (let at = 0; at + 4 < bytes.length; at += 4 + bytes.readUInt32BE(at)) {
    const frame = bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at));
    if (!ENDS.has(frame[0])) continue;
    for (const id of open) if (frame.includes(id)) open.delete(id);
    if (frame[0] === 0x3a) return true;
  }
  return open.size === 0;
}

const helper = spawn('/usr/lib/modfleet/modfleet-helper', args, { stdio: ['pipe', 'pipe', 'inherit'] });
let heard = Buffer.alloc(0);
const done = () => helper.stdin.end();
const timer = setTimeout(done, waitMs);
helper.stdout.on('data', (bytes) => {
  heard = Buffer.concat([heard, bytes]);
  if (isEnded(heard)) done();
});
for (const chunk of chunks) helper.stdin.write(Buffer.from(chunk, 'base64'));
await new Promise((resolve) => helper.on('close', resolve));
clearTimeout(timer);
process.stdout.write(heard.toString('base64'));
