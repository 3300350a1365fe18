import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anIntent, anOkVerdict, aRequest } from '../testing/builders.ts';
import { FileJournal } from './file-journal.ts';
import { hostDisk } from './disk.ts';
import { JournalDamagedError, type JournalRecord, JournalUnavailableError, LOST_ID } from './journal.ts';

const record: JournalRecord = anIntent(aRequest(), anOkVerdict(['modprobe', 'dummy']));
const step = (index: number): JournalRecord => ({ kind: 'step', id: aRequest().actionId, index });

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'modfleet-journal-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function reopened(): Promise<readonly JournalRecord[]> {
  const journal = new FileJournal(folder);
  const { records } = await journal.open();
  await journal.close();
  return records;
}

describe('file journal', () => {
  it('keeps what was appended, in order, also when asked for many at once', async () => {
    const journal = new FileJournal(path.join(folder, 'made', 'when absent'));
    expect(await journal.open()).toMatchObject({ records: [], tail: 'whole' });
    await journal.append(record);
    await Promise.all([1, 2, 3, 4, 5].map((index) => journal.append(step(index))));
    await journal.close();
    const again = new FileJournal(path.join(folder, 'made', 'when absent'));
    expect((await again.open()).records).toEqual([record, ...[1, 2, 3, 4, 5].map(step)]);
    await again.close();
  });

  it('goes on after a tail that was cut short, and keeps its id', async () => {
    const journal = new FileJournal(folder);
    await journal.open();
    await journal.append(record);
    await journal.close();
    const whole = await readFile(journal.place);
    await truncate(journal.place, whole.indexOf('\n', 30) - 10);
    const again = new FileJournal(folder);
    expect(await again.open()).toMatchObject({ records: [{ kind: 'torn', id: record.id }], tail: 'record' });
    await again.append(step(1));
    await again.close();
    expect(await reopened()).toEqual([{ kind: 'torn', id: record.id }, step(1)]);
  });

  it('loses nothing with its last line, whatever happens to it', async () => {
    const journal = new FileJournal(folder);
    await journal.open();
    await journal.append(record);
    await journal.close();
    const whole = await readFile(journal.place);
    const seal = whole.lastIndexOf('\n', whole.length - 2) + 1;
    for (let length = seal; length < whole.length; length++) {
      await writeFile(journal.place, whole.subarray(0, length));
      const again = new FileJournal(folder);
      expect(await again.open()).toMatchObject({ records: [record], tail: 'seal' });
      await again.close();
    }
    await writeFile(journal.place, Buffer.concat([whole.subarray(0, seal), Buffer.alloc(whole.length - seal)]));
    const zeroed = new FileJournal(folder);
    expect(await zeroed.open()).toMatchObject({ records: [record], tail: 'seal' });
    await zeroed.close();
    expect(await reopened()).toEqual([record]);
  });

  it('goes on after an end that says nothing any more, and knows that something is lost', async () => {
    const journal = new FileJournal(folder);
    await journal.open();
    await journal.append(record);
    const { length } = await readFile(journal.place);
    await journal.append({ ...record, id: 'next' });
    await journal.close();
    const whole = await readFile(journal.place);
    await writeFile(journal.place, Buffer.concat([whole.subarray(0, length), Buffer.alloc(whole.length - length)]));
    const lost: JournalRecord = { kind: 'torn', id: LOST_ID };
    const again = new FileJournal(folder);
    expect(await again.open()).toMatchObject({ records: [record, lost], tail: 'unreadable' });
    await again.close();
    expect(await reopened()).toEqual([record, lost]);
  });

  it('is read where it cannot be written, for answering', async () => {
    const journal = new FileJournal(folder);
    await journal.open();
    await journal.append(record);
    await journal.close();
    const readOnly = { ...hostDisk, open: () => Promise.reject(new Error('EROFS: read-only file system')) };
    await expect(new FileJournal(folder, readOnly).open()).rejects.toMatchObject({
      code: 'unjournalled',
      known: { records: [record] },
      message: expect.stringContaining('EROFS'),
    });
  });

  it('reads a journal of the format before, and writes it anew', async () => {
    const journal = new FileJournal(folder);
    await journal.open();
    await journal.append(record);
    await journal.close();
    const lines = (await readFile(journal.place, 'utf8')).split('\n');
    await writeFile(journal.place, `modfleet-journal 1\n${lines[1]}\n`);
    expect(await reopened()).toEqual([record]);
    expect(await readFile(journal.place, 'utf8')).toBe(lines.join('\n'));
  });

  it('replaces everything at once', async () => {
    const journal = new FileJournal(folder);
    await journal.open();
    await journal.append(record);
    await journal.rewrite([step(7)]);
    await journal.append(step(8));
    await journal.close();
    expect(await reopened()).toEqual([step(7), step(8)]);
  });

  it('reports damage and does not touch the file', async () => {
    const journal = new FileJournal(folder);
    await journal.open();
    await journal.append(record);
    await journal.append(step(1));
    await journal.close();
    const bytes = await readFile(journal.place);
    bytes.writeUInt8(bytes.readUInt8(60) ^ 1, 60);
    await writeFile(journal.place, bytes);
    await expect(new FileJournal(folder).open()).rejects.toThrow(JournalDamagedError);
    expect(await readFile(journal.place)).toEqual(bytes);
  });

  it('says why it cannot be written', async () => {
    await writeFile(path.join(folder, 'file'), '');
    const journal = new FileJournal(path.join(folder, 'file'));
    await expect(journal.open()).rejects.toThrow(JournalUnavailableError);
    await expect(journal.append(record)).rejects.toThrow(/EEXIST|ENOTDIR/);
    const blocked = new FileJournal(folder);
    await blocked.open();
    await mkdir(`${blocked.place}.new`);
    await expect(blocked.rewrite([])).rejects.toThrow(JournalUnavailableError);
    await rm(`${blocked.place}.new`, { recursive: true });
    await blocked.append(record);
    await blocked.close();
    expect(await reopened()).toEqual([record]);
  });
});
