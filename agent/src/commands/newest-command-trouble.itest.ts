import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { aRequest } from '../actions/testing/builders.ts';
import { FileNewestCommand, NEWEST_COMMAND_FILE } from '../helper/newest-command.ts';
import { TestCommands } from '../testing/test-commands.ts';
import { newestCommandTroubles } from './newest-command-trouble.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'modfleet-check-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('a newest command is trouble when it is damaged, and not when it is whole, nowhere or forbidden', async () => {
  const file = path.join(folder, NEWEST_COMMAND_FILE);
  expect(await newestCommandTroubles([folder, '/nonexistent'])).toEqual([]);
  const signed = (await TestCommands.create(1)).sign(aRequest({ epoch: 1, sequence: 9 }));
  await (await FileNewestCommand.open(folder)).keep(signed);
  expect(await newestCommandTroubles([folder])).toEqual([]);
  await writeFile(file, (await readFile(file, 'utf8')).replace('"sequence": 9', '"sequence": 8'));
  expect(await newestCommandTroubles([folder, folder])).toEqual([expect.stringContaining(`${file} is damaged`)]);
});
