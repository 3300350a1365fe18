import type { Verdict } from '@modfleet/proto';
import { FakeExec } from '../../exec/fake-exec.ts';
import type { MemoryHostFiles } from '../../host/memory-host-files.ts';
import type { Question } from '../findings/facts.ts';
import { decide } from '../findings/verdict.ts';
import { collectFacts } from '../host/collect-facts.ts';
import type { ServerRoute } from '../protection/routes.ts';
import { ACT, aQuestion } from './builders.ts';

/** What a host has beside its files. */
export interface Surroundings {
  /** `ip -d -j addr show`; undefined: no iproute2. */
  readonly links?: readonly object[];
  /** `ip -j rule show`, both families. */
  readonly rules?: readonly object[];
  /** `dmsetup table`; undefined: no dmsetup. */
  readonly tables?: string;
  readonly serverRoute?: ServerRoute;
}

/** The verdict of a host in memory that may act and has no policy of its own. */
export async function verdictOf(
  files: MemoryHostFiles,
  question: Partial<Question>,
  surroundings: Surroundings = {},
): Promise<Verdict> {
  const { links, rules = [], tables, serverRoute = { remoteAddress: '10.0.2.2' } } = surroundings;
  const ip = (args: readonly string[]) => ({ stdout: JSON.stringify(args.includes('rule') ? rules : links) });
  const exec = new FakeExec({
    ...(links === undefined ? {} : { ip }),
    ...(tables === undefined ? {} : { dmsetup: () => ({ stdout: tables }) }),
  });
  const asked = aQuestion(question);
  const sources = { files, exec, ownPaths: ['/var/lib/modfleet'], serverRoute: () => serverRoute };
  const { facts } = await collectFacts(sources, asked, undefined);
  return decide(asked, facts, ACT, []);
}

/** The kmods of /proc/modules that may not go, in the order in which they stand there. */
export async function protectedKmods(files: MemoryHostFiles, surroundings: Surroundings = {}): Promise<string[]> {
  const found: string[] = [];
  const modules = await files.readText('/proc/modules');
  for (const line of modules.kind === 'ok' ? modules.value.split('\n') : []) {
    const kmod = line.split(' ')[0] ?? '';
    if (kmod === '') continue;
    const { findings } = await verdictOf(files, { kmod }, surroundings);
    if (findings.some((finding) => finding.code === 'protected')) found.push(kmod);
  }
  return found;
}
