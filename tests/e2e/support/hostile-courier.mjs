// Runs on a lab host as the agent's user: says to the helpers whatever a courier that was taken over could say, and prints what it heard.
// node hostile-courier.mjs WHICH < JSON {chunks: base64[][] (one connection each), holdMs}; answers JSON: base64[] (bytes heard, by connection)
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

const { socket, connections, waitMs } = JSON.parse(await text(process.stdin));

const one = (chunks) =>
  new Promise((resolve) => {
    const heard = [];
    const end = connect(socket);
    const done = (how) => {
      clearTimeout(timer);
      end.destroy();
      resolve({ how, heard: Buffer.concat(heard).toString('base64') });
    };
    const timer = setTimeout(() => done('waited'), waitMs);
    end.on('data', (bytes) => heard.push(bytes));
    end.on('error', (error) => done(error.code ?? 'error'));
    end.on('close', () => done('closed'));
    end.on('connect', () => {
      for (const chunk of chunks) end.write(Buffer.from(chunk, 'base64'));
    });
  });

process.stdout.write(JSON.stringify(await Promise.all(connections.map(one))));
