import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CliError } from '../errors/cli-error.ts';
import { EXIT } from '../errors/exit-codes.ts';

/** One line from the terminal; asked on stderr, so that stdout stays data. A secret is not echoed. */
export async function readLine(prompt: string, secret: boolean): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  process.stderr.write(prompt);
  const reader = createInterface({ input: process.stdin, output: secret ? silent : process.stderr, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      reader.once('line', resolve);
      const gone = () => reject(new CliError('interrupted', { exitCode: EXIT.interrupted }));
      reader.once('SIGINT', gone);
      reader.once('close', gone);
    });
  } finally {
    reader.close();
    if (secret) process.stderr.write('\n');
  }
}
