import { describe, expect, it } from 'vitest';
import { parseArguments } from './parse-arguments.ts';

describe('parseArguments', () => {
  it('boots one fast host on alternating series unless told otherwise', () => {
    expect(parseArguments(['boot'])).toEqual({
      command: 'boot',
      kind: 'fast',
      series: ['6.1', '6.12'],
      count: 1,
      network: 'networkd',
      rootDisk: 'plain',
      packages: [],
      config: undefined,
      joinFile: undefined,
    });
    expect(parseArguments(['boot', '--kind', 'full', '--series=6.12', '--count', '3'])).toMatchObject({
      kind: 'full',
      series: ['6.12'],
      count: 3,
    });
  });

  it('takes a full host where only full ones have what is asked for', () => {
    expect(
      parseArguments(['boot', '--network', 'vlan-bond', '--root-disk', 'dm-linear', '--packages', 'a,b']),
    ).toMatchObject({
      kind: 'full',
      network: 'vlan-bond',
      rootDisk: 'dm-linear',
      packages: ['a', 'b'],
    });
  });

  it('asks the oracle on every host unless narrowed', () => {
    expect(parseArguments(['oracle'])).toMatchObject({ kinds: ['fast', 'full'], series: ['6.1', '6.12'], only: [] });
    expect(parseArguments(['oracle', '--network', 'vlan-bond', '--only', 'load,dummy'])).toEqual({
      command: 'oracle',
      kinds: ['full'],
      series: ['6.1', '6.12'],
      network: 'vlan-bond',
      only: ['load', 'dummy'],
      sample: 1,
    });
  });

  it('builds everything unless narrowed', () => {
    expect(parseArguments(['build'])).toEqual({
      command: 'build',
      kinds: ['fast', 'full'],
      series: ['6.1', '6.12'],
      update: false,
    });
    expect(parseArguments(['prepare', '--kind', 'fast'])).toMatchObject({ command: 'build', kinds: ['fast'] });
  });

  it('explains itself when asked or given nothing', () => {
    expect(parseArguments([])).toEqual({ command: 'help' });
    expect(parseArguments(['boot', '--help'])).toEqual({ command: 'help' });
  });

  it.each([
    [['boot', '--kind', 'slow'], '--kind "slow": it is one of fast, full'],
    [['boot', '--series', '5.10'], '--series "5.10": it is one of 6.1, 6.12'],
    [['boot', '--network', 'wifi'], '--network "wifi": it is one of networkd, ifupdown, vlan-bond'],
    [['boot', '--root-disk', 'zfs'], '--root-disk "zfs": it is one of plain, dm-linear'],
    [['boot', '--count', '0'], '--count "0": it is a whole number from 1 to 16'],
    [['boot', '--count', '1.5'], '--count "1.5"'],
    [['boot', 'now'], '"now" is one word too many'],
    [['shell'], 'shell needs the name of a host'],
    [['fly'], 'there is no command "fly"'],
    [['boot', '--fast'], '--fast'],
  ])('refuses %j and names the way out', (argv, message) => {
    expect(() => parseArguments(argv)).toThrow(message);
    expect(() => parseArguments(argv)).toThrow('npm run lab -- --help');
  });
});
