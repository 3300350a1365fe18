import type { Exec, ProgramName } from '../../exec/exec.ts';

/** These answer in milliseconds; a second is a machine in trouble. */
const TIMEOUT_MS = 5_000;

/** What the tools of netfilter, traffic control and xfrm list; undefined: the tool is not there, or was refused. */
export interface ToolLists {
  /** `nft list ruleset`, one text a table, beginning with `table FAMILY NAME`. */
  readonly nftTables: readonly string[] | undefined;
  /** Lines of `tc qdisc show`. */
  readonly qdiscs: readonly string[] | undefined;
  /** Lines of `tc filter show` of every interface that has more than a root qdisc, with the interface before them. */
  readonly filters: readonly string[] | undefined;
  /** Lines of `ip xfrm state list nokeys` that name a protocol (`proto esp …`). */
  readonly xfrmStates: readonly string[] | undefined;
}

/** Runs them. Only the network namespace of the agent is seen. */
export async function readToolLists(exec: Exec): Promise<ToolLists> {
  const qdiscs = await lines(exec, 'tc', ['qdisc', 'show']);
  return {
    nftTables: (await text(exec, 'nft', ['list', 'ruleset']))?.split(/^(?=table )/m).filter((one) => one.trim() !== ''),
    qdiscs,
    filters: qdiscs === undefined ? undefined : await readFilters(exec, qdiscs),
    xfrmStates: (await lines(exec, 'ip', ['xfrm', 'state', 'list', 'nokeys']))?.filter((line) =>
      /^\s*proto /.test(line),
    ),
  };
}

/** Filters hang on classful and ingress qdiscs; asking every interface would cost a process each. */
async function readFilters(exec: Exec, qdiscs: readonly string[]): Promise<string[]> {
  const places = new Set(
    qdiscs
      .filter((line) => !/^qdisc (?:noqueue|pfifo_fast|fq_codel|fq|mq|pfifo) /.test(line))
      .flatMap((line) => {
        const name = / dev (\S+) /.exec(`${line} `)?.[1];
        return name === undefined
          ? []
          : /^qdisc (?:ingress|clsact) /.test(line)
            ? [`${name} ingress`, `${name} egress`]
            : [name];
      }),
  );
  const found: string[] = [];
  for (const place of places) {
    const said = await lines(exec, 'tc', ['filter', 'show', 'dev', ...place.split(' ')]);
    found.push(...(said ?? []).map((line) => `${place}: ${line.trim()}`));
  }
  return found;
}

async function lines(
  exec: Exec,
  program: ProgramName,
  args: readonly string[],
): Promise<readonly string[] | undefined> {
  return (await text(exec, program, args))?.split('\n').filter((line) => line.trim() !== '');
}

async function text(exec: Exec, program: ProgramName, args: readonly string[]): Promise<string | undefined> {
  if (exec.find(program) === undefined) return undefined;
  const result = await exec.run(program, args, { timeoutMs: TIMEOUT_MS });
  return result.ended.kind === 'exited' && result.ended.code === 0 ? result.stdout : undefined;
}
