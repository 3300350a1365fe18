// Runs on a lab host as the agent's user: says to a helper whatever a courier that was taken over could say, and prints what it heard.
// stdin: {socket, connections: [{chunks: base64[], answers: number}], waitMs}; stdout: [{how, heard: base64}], one a connection.
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

const { socket, connections, waitMs } = JSON.parse(await text(process.stdin));

/** First byte of a HelperFrame (proto/modfleet/helper/v1): result, refused, rejected. */
const ANSWERS = new Set([0x22, 0x3a, 0x42]);

/** How many whole frames of these bytes are answers to a request. */
function answersIn(bytes) {
  let count = 0;
  for (let at = 0; at + 4 < bytes.length; at += 4 + bytes.readUInt32BE(at)) {
    if (at + 4 + bytes.readUInt32BE(at) <= bytes.length && ANSWERS.has(bytes[at + 4])) count += 1;
  }
  return count;
}

const one = ({ chunks, answers }) =>
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
      if (answersIn(heard) >= answers) done('answered');
    });
    end.on('error', (error) => done(error.code ?? 'error'));
    end.on('close', () => done('closed'));
    end.on('connect', () => {
      for (const chunk of chunks) end.write(Buffer.from(chunk, 'base64'));
    });
  });

process.stdout.write(JSON.stringify(await Promise.all(connections.map(one))));
