import type { LabHost } from '../../lab/src/lab.ts';
import { type Weight, type Wire, weightOf, wireOf } from './weight.ts';

const SAMPLES = '/run/bench-peak';

/** Of a host that counts instructions: BootOptions.countInstructions. */
const INSTRUCTIONS_PER_USEC = 1000;

/** A service of a full lab host, measured from outside: its cgroup, its processes, its one connection. */
export class ServiceOnHost {
  readonly unit: string;
  readonly #host: LabHost;

  constructor(host: LabHost, unit: string) {
    this.#host = host;
    this.unit = unit;
  }

  get #cgroup(): string {
    return `/sys/fs/cgroup/system.slice/${this.unit}`;
  }

  /** Every process of the unit now. */
  async weight(): Promise<Weight> {
    return weightOf(
      await this.#host.must(`for p in $(cat ${this.#cgroup}/cgroup.procs); do cat /proc/$p/smaps_rollup; done`),
    );
  }

  /** Names and resident sets of its processes, for the note. */
  async processes(): Promise<string> {
    const each = 'echo "$(cat /proc/$p/comm) $(sed -n "s/^Rss: *\\([0-9]*\\) kB/\\1/p" /proc/$p/smaps_rollup)"';
    const lines = (await this.#host.must(`for p in $(cat ${this.#cgroup}/cgroup.procs); do ${each}; done`)).split('\n');
    return lines
      .map((line) => line.split(' '))
      .map(([name, kb]) => `${name} ${(Number(kb) / 1024).toFixed(1)}`)
      .join(', ');
  }

  /** Instructions that all its processes executed since the unit started, in user space and in the kernel; of a host that counts them. */
  async instructions(): Promise<number> {
    const usec = /^usage_usec (\d+)$/m.exec(await this.#host.must(`cat ${this.#cgroup}/cpu.stat`))?.[1];
    if (usec === undefined) throw new Error(`${this.unit} has no CPU counter`);
    return Number(usec) * INSTRUCTIONS_PER_USEC;
  }

  /** Bytes over its connection to the server of this machine. */
  async wire(): Promise<Wire> {
    return wireOf(await this.#host.must('ss --tcp --numeric --info --no-header state established dst 10.0.2.2'));
  }

  /** Adds up the resident pages of its processes five times a second until `stopSampling`; all with the shell itself, which costs little. */
  async startSampling(): Promise<void> {
    const script = [
      'most=0; mostanon=0',
      `while [ -e ${SAMPLES}.on ]; do`,
      '  sum=0; anon=0',
      `  for p in $(cat ${this.#cgroup}/cgroup.procs 2>/dev/null); do`,
      '    if read -r _ rss shared _ 2>/dev/null < /proc/$p/statm; then sum=$((sum + rss)); anon=$((anon + rss - shared)); fi',
      '  done',
      '  [ $sum -gt $most ] && most=$sum',
      '  [ $anon -gt $mostanon ] && mostanon=$anon',
      '  sleep 0.2',
      'done',
      `echo $most $mostanon > ${SAMPLES}.new && mv ${SAMPLES}.new ${SAMPLES}`,
    ].join('\n');
    await this.#host.writeFile(`${SAMPLES}.sh`, `${script}\n`);
    await this.#host.must(`rm -f ${SAMPLES}; touch ${SAMPLES}.on; systemd-run --quiet --collect sh ${SAMPLES}.sh`);
  }

  /** The most at one time since `startSampling`, MiB. */
  async stopSampling(): Promise<Pick<Weight, 'rss' | 'anonymous'>> {
    const pages = await this.#host.must(
      `rm ${SAMPLES}.on; while [ ! -e ${SAMPLES} ]; do sleep 0.1; done; cat ${SAMPLES}`,
    );
    const [rss = 0, anonymous = 0] = pages.split(' ').map((count) => (Number(count) * 4096) / 2 ** 20);
    return { rss, anonymous };
  }
}

/** The host's own clock. */
export async function uptimeMs(host: LabHost): Promise<number> {
  return Number((await host.read('/proc/uptime')).split(' ')[0]) * 1000;
}
