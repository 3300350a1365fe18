import { describe, expect, it } from 'vitest';
import { kernelCommandLine, macAddress, type MachineSpec, qemuArguments } from './qemu-arguments.ts';

const spec: MachineSpec = {
  name: 'h1',
  accelerator: 'tcg',
  countInstructions: false,
  memoryMb: 384,
  kernel: '/k',
  initrd: '/i',
  commandLineExtra: '',
  disk: '/d',
  consoleLog: '/c',
  monitorSocket: '/m.sock',
  controlSocket: '/s.sock',
  shellSocket: '/sh.sock',
  network: { kind: 'user', macAddress: '52:54:00:aa:bb:cc' },
  extraArguments: ['-device', 'i6300esb'],
};

const valueAfter = (args: string[], option: string): string | undefined => args[args.indexOf(option) + 1];

describe('qemuArguments', () => {
  it('emulates unless the machine can do better', () => {
    expect(valueAfter(qemuArguments(spec), '-cpu')).toBe('max');
    expect(valueAfter(qemuArguments({ ...spec, accelerator: 'kvm' }), '-cpu')).toBe('host');
  });

  it('counts instructions where asked', () => {
    expect(qemuArguments(spec)).not.toContain('-icount');
    const counting = qemuArguments({ ...spec, countInstructions: true });
    expect(valueAfter(counting, '-icount')).toBe('shift=0');
    expect(valueAfter(counting, '-cpu')).toBe('max,erms=off');
  });

  it('ends with what the caller adds', () => {
    expect(qemuArguments(spec).slice(-2)).toEqual(['-device', 'i6300esb']);
  });

  it('opens no way into the host', () => {
    expect(qemuArguments(spec).join(' ')).not.toMatch(/hostfwd/);
  });
});

describe('kernelCommandLine', () => {
  it('appends what the caller adds, and nothing otherwise', () => {
    expect(kernelCommandLine('module_blacklist=floppy')).toBe(`${kernelCommandLine('')} module_blacklist=floppy`);
    expect(kernelCommandLine('')).toBe(kernelCommandLine('').trim());
  });
});

describe('macAddress', () => {
  it('is one QEMU address for one name', () => {
    expect(macAddress('0a1b2c3d')).toBe('52:54:00:0a:1b:2c');
  });
});
