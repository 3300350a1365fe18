// Runs on a lab host as the agent's user: says to a helper whatever a courier that was taken over could say, and prints what it heard.
// stdin: {socket, connections: [{chunks: base64[], ids: action ids}], waitMs}; stdout: [{how, heard: base64}], one a connection.
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

const { socket, connections, waitMs } = JSON.parse(await text(process.stdin));

/** First byte of a HelperFrame (proto/modfleet/helper/v1): what answers a request, and what ends the conversation. */
const ANSWERS = new Set([0x22, 0x42]);
const REFUSED = 0x3a;

/** Whether these bytes answer all of these requests. A helper also tells results of earlier connections, which nobody acknowledged. */
function isAnswered(bytes, ids) {
  const open = new Set(ids);
  for (let at = 0; at + 4 < bytes.length; at += 4 + bytes.readUInt32BE(at)) {
    const frame = bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at));
    if (frame[0] === REFUSED) return true;
    if (ANSWERS.has(frame[0])) for (const id of open) if (frame.includes(id)) open.delete(id);
  }
  return ids.length > 0 && open.size === 0;
}

const one = ({ chunks, ids }) =>
  new Promise((resolve) => {
    let heard = Buffer.alloc(0);
    const end = connect(socket);
    const done = (how) => {
      clearTimeout(timer);
      end.destroy();
      resolve({ how, heard: heard.toString('base64') });
    };
    const timer = setTimeout(() => done('waited'), waitMs);
    end.on('data', (bytes) => {
      heard = Buffer.concat([heard, bytes]);
      if (isAnswered(heard, ids)) done('answered');
    });
    end.on('error', (error) => done(error.code ?? 'error'));
    end.on('close', () => done('closed'));
    end.on('connect', () => {
      for (const chunk of chunks) end.write(Buffer.from(chunk, 'base64'));
    });
  });

process.stdout.write(JSON.stringify(await Promise.all(connections.map(one))));
