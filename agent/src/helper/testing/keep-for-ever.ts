import { sign } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { ActionRequest, commandBytes } from '@modfleet/proto';
import { FileNewestCommand } from '../newest-command.ts';

/*
 * A program of its own, to be killed: keeps ever newer commands in a folder, and says the number of each on stdout once it is kept. Arguments: the folder,
 * and a file with a key (PEM) and a command (JSON) to sign anew with each number.
 */
const [folder = '', material = ''] = process.argv.slice(2);
const { key, command } = JSON.parse(readFileSync(material, 'utf8')) as { key: string; command: unknown };
const request = ActionRequest.fromJSON(command);
const store = await FileNewestCommand.openToKeep(folder);
for (let sequence = (store.get()?.sequence ?? 0) + 1; ; sequence++) {
  const next = { ...request, sequence };
  await store.keep({ ...next, signature: sign(null, commandBytes(next), key) });
  writeSync(1, `${sequence}\n`);
}
