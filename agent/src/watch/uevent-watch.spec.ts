import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeExec } from '../exec/fake-exec.ts';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import { passedSource } from './passed-source.ts';
import { udevadmSource } from './udevadm-source.ts';
import { UeventWatch } from './uevent-watch.ts';

const HEADER = ['monitor will print the received events for:', 'KERNEL - the kernel uevent', ''];
const ADD = ['KERNEL[17.0] add      /module/dummy (module)', 'ACTION=add', ''];

describe('UeventWatch', () => {
  let exec: FakeExec;
  let told: string[];
  let watch: UeventWatch;

  beforeEach(async () => {
    vi.useFakeTimers();
    exec = new FakeExec({ udevadm: () => ({}) });
    told = [];
    watch = new UeventWatch(exec, udevadmSource, {
      onEvent: ({ action, kmod }) => told.push(`${action} ${kmod}`),
      onReady: () => told.push('ready'),
      onLost: (why) => told.push(`lost: ${why}`),
    });
    await watch.start();
  });
  afterEach(() => {
    watch.stop();
    const leftover = vi.getTimerCount();
    vi.useRealTimers();
    if (leftover > 0) throw new Error(`${leftover} timers are left`);
  });

  it('is ready when udevadm says that it listens, and tells events', () => {
    expect(watch.ready).toBe(false);
    exec.streams[0]?.write(...HEADER, ...ADD);
    expect(watch.ready).toBe(true);
    expect(told).toEqual(['ready', 'add dummy']);
  });

  it('tells a loss once and starts again', async () => {
    exec.streams[0]?.write(...HEADER);
    exec.streams[0]?.end('killed');
    expect(told).toEqual(['ready', 'lost: killed']);
    expect(exec.streams).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(exec.streams).toHaveLength(2);
    exec.streams[1]?.write(...HEADER, ...ADD);
    expect(told).toEqual(['ready', 'lost: killed', 'ready', 'add dummy']);
  });

  it('waits longer each time udevadm ends without a word, up to a minute', async () => {
    for (let attempt = 0; attempt < 10; attempt++) {
      exec.streams.at(-1)?.end('exit 1');
      await vi.advanceTimersByTimeAsync(60_000);
    }
    expect(told).toEqual([]);
    expect(exec.streams).toHaveLength(11);
    exec.streams.at(-1)?.end('exit 1');
    await vi.advanceTimersByTimeAsync(59_000);
    expect(exec.streams).toHaveLength(11);
  });

  it('stops the program and says no more', () => {
    exec.streams[0]?.write(...HEADER);
    watch.stop();
    expect(exec.streams[0]?.stopped).toBe(true);
    exec.streams[0]?.write(...ADD);
    exec.streams[0]?.end('killed');
    expect(told).toEqual(['ready']);
  });

  it('starts nothing where udevadm is not installed', async () => {
    const none = new FakeExec();
    const listener = { onEvent: () => undefined, onReady: () => undefined, onLost: () => undefined };
    await new UeventWatch(none, udevadmSource, listener).start();
    expect(none.streams).toEqual([]);
  });

  it('hands the socket of systemd to cat, and is ready at once', async () => {
    const cat = new FakeExec({ cat: () => ({}) });
    const heard: string[] = [];
    const overSocket = new UeventWatch(cat, passedSource(new MemoryHostFiles({}), 5), {
      onEvent: ({ action, kmod }) => heard.push(`${action} ${kmod}`),
      onReady: () => heard.push('ready'),
      onLost: (why) => heard.push(`lost: ${why}`),
    });
    await overSocket.start();
    expect(cat.streams[0]?.options).toEqual({ stdin: 5, lineEnd: '\0' });
    cat.streams[0]?.write('add@/module/dummy', 'SEQNUM=1');
    cat.streams[0]?.end('exit 1');
    expect(heard).toEqual(['ready', 'add dummy', 'lost: exit 1']);
    overSocket.stop();
  });
});
