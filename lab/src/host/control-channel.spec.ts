import { duplexPair } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { ControlChannel } from './control-channel.ts';

const BOOT = '0b4b3c52-44d4-4a2e-9c0d-3c8b6a3f0a11';

function pair() {
  const [ours, hosts] = duplexPair();
  const sent: string[] = [];
  hosts.on('data', (chunk: Buffer) => sent.push(chunk.toString()));
  return { channel: new ControlChannel(ours, 'h1', 1), host: hosts, sent };
}

describe('ControlChannel', () => {
  it('gives each command its own answer, in whatever order they come', async () => {
    const { channel, host } = pair();
    const slow = channel.run('slow', 1000);
    const quick = channel.run('quick', 1000);
    host.write(`DONE 2 0 ${Buffer.from('q').toString('base64')} -\n`);
    host.write('DONE 1 4 - -\n');
    expect(await quick).toEqual({ stdout: 'q', stderr: '', code: 0 });
    expect(await slow).toEqual({ stdout: '', stderr: '', code: 4 });
  });

  it('says which host did not answer which command in time', async () => {
    vi.useFakeTimers();
    const { channel } = pair();
    const failure = channel.run('rmmod mf_stuck_exit', 5000).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(5000);
    expect(await failure).toMatchObject({ message: 'h1 did not answer within 5000 ms: rmmod mf_stuck_exit' });
    vi.useRealTimers();
  });

  it('sends again what the host did not get, and nothing that it got', async () => {
    vi.useFakeTimers();
    const { channel, host, sent } = pair();
    const answer = channel.run('true', 60_000);
    await vi.advanceTimersByTimeAsync(25_000);
    host.write('GOT 1\n');
    await vi.advanceTimersByTimeAsync(25_000);
    expect(sent).toEqual(Array(3).fill('RUN 1 8 dHJ1ZQ==\n'));
    host.write('DONE 1 0 - -\n');
    await vi.advanceTimersByTimeAsync(0);
    expect((await answer).code).toBe(0);
    vi.useRealTimers();
  });

  it('rejects what was under way when the host starts anew, and tells the boot id', async () => {
    const { channel, host } = pair();
    const boots: string[] = [];
    channel.on('ready', (bootId) => boots.push(bootId));
    const lost = channel.run('sleep 100', 1000);
    host.write(`half a li\nREADY ${BOOT}\n`);
    await expect(lost).rejects.toThrow('h1 started anew before it answered: sleep 100');
    expect(boots).toEqual([BOOT]);
  });

  it('rejects everything once the host is off', async () => {
    const { channel, host } = pair();
    const lost = channel.run('true', 1000);
    host.end();
    await expect(lost).rejects.toThrow('h1 went off before it answered: true');
    await expect(channel.run('true', 1000)).rejects.toThrow('h1 is off: true');
  });
});
