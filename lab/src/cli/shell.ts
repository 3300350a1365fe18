import { connect } from 'node:net';
import { once } from 'node:events';
import { runFiles } from '../host/run-folder.ts';
import { isAlive, listRecords } from '../host/run-folder.ts';
import { LabError } from '../lab-error.ts';

/** Ctrl-], as in telnet: everything else belongs to the host. */
const LEAVE = 0x1d;

/** Connects this terminal to the shell port of a running host, until Ctrl-] or the end of the host. */
export async function openShell(name: string): Promise<void> {
  const record = (await listRecords()).find((candidate) => candidate.name === name && isAlive(candidate));
  if (record === undefined) throw new LabError(`No lab host ${JSON.stringify(name)} runs. See: npm run lab -- list`);
  const socket = connect(runFiles(record.folder).shellSocket);
  await once(socket, 'connect');
  process.stderr.write(`${name}: root shell; leave with Ctrl-]\n`);
  const raw = process.stdin.isTTY;
  if (raw) process.stdin.setRawMode(true);
  process.stdin.on('data', (keys: Buffer) => {
    const end = keys.indexOf(LEAVE);
    socket.write(end === -1 ? keys : keys.subarray(0, end));
    if (end !== -1) socket.end();
  });
  process.stdin.on('end', () => socket.end());
  socket.pipe(process.stdout);
  socket.write('\n');
  try {
    await once(socket, 'close');
  } finally {
    if (raw) process.stdin.setRawMode(false);
    process.stdin.unref();
    process.stdin.pause();
    process.stderr.write('\n');
  }
}
