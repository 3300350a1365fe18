/**
 * For `node --import`: the process ends by SIGKILL right after a file of this name took its place (KILLED_AFTER), or right before (KILLED_BEFORE).
 */
import fs from 'node:fs';
import { basename } from 'node:path';
import { syncBuiltinESMExports } from 'node:module';

const { renameSync } = fs;
const { KILLED_AFTER, KILLED_BEFORE } = process.env;
fs.renameSync = (from, to) => {
  const name = basename(String(to));
  if (name === KILLED_BEFORE) process.kill(process.pid, 'SIGKILL');
  renameSync(from, to);
  if (name === KILLED_AFTER) process.kill(process.pid, 'SIGKILL');
};
syncBuiltinESMExports();
