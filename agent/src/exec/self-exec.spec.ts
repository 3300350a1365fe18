import { expect, it } from 'vitest';
import { runSelf, type SelfExecOptions } from './self-exec.ts';

/** Runs a script with this Node.js in place of the agent. */
const run = (script: string, options: Partial<SelfExecOptions> = {}): Promise<string> =>
  runSelf(['argument'], {
    timeoutMs: 30_000,
    maxBytes: 1000,
    program: [process.execPath, '-e', script],
    ...options,
  }).then((bytes) => Buffer.from(bytes).toString());

it('gives what it wrote, with arguments and stdin as asked and no environment of ours', async () => {
  const script = `process.stdin.on('data', (data) => console.log(process.argv[1], String(data), process.env.HOME))`;
  expect(await run(script, { input: 'secret' })).toBe('argument secret undefined\n');
});

it('leaves stdin empty when nothing is given, and bears a child that does not read it', async () => {
  expect(await run(`process.stdin.resume().on('end', () => console.log('end'))`)).toBe('end\n');
  expect(await run(`console.log('unread'); process.exit(0)`, { input: 'x'.repeat(1_000_000) })).toBe('unread\n');
});

it.each<[string, string, Partial<SelfExecOptions>, string]>([
  ['fails', `console.error('why'); process.exit(3)`, {}, 'ended with exit 3: why'],
  ['is killed', `process.kill(process.pid, 'SIGKILL')`, {}, 'ended with SIGKILL'],
  ['hangs', 'setInterval(() => {}, 1000)', { timeoutMs: 100 }, 'no end after 100 ms'],
  ['says too much', `console.log('x'.repeat(5000))`, {}, 'more than 1000 bytes of output'],
  ['is missing', '', { program: ['/nonexistent/program'] }, '/nonexistent/program: '],
])('refuses a child that %s', async (_what, script, options, words) => {
  await expect(run(script, options)).rejects.toThrow(words);
});
