import type { Writable } from 'node:stream';
import {
  type ActionRequest,
  canonicalKmodName,
  verbFromWord,
  type KnownVerb,
  UNSIGNED,
  VERB_WORDS,
  Verdict,
} from '@modfleet/proto';
import type { ActionPolicy } from '../actions/findings/facts.ts';
import { LinuxActionHost } from '../actions/host/linux-action-host.ts';
import { NodeExec, NoExec } from '../exec/node-exec.ts';
import { FsHostFiles } from '../host/fs-host-files.ts';
import { verdictText } from './verdict-text.ts';

/** `modfleet-agent verdict VERB NAME… [--param k=v] [--root DIR] [--json]`. */
export interface VerdictOptions {
  /** load, unload, reload, ensure_loaded, ensure_unloaded or set_parameters. */
  readonly verb: string;
  /** At least one; each gets a verdict of its own, as if it were asked for alone. */
  readonly names: readonly string[];
  /** name=value. */
  readonly param: readonly string[];
  readonly root: string;
  readonly json: boolean;
  /** As in agent.yaml. */
  readonly policy: ActionPolicy;
  readonly stateDir: string;
  readonly stdout: Writable;
}

/** A restore is the server's: it has undo steps, which an earlier action reported. */
const ASKED: ReadonlySet<string> = new Set(Object.values(VERB_WORDS).filter((word) => word !== 'restore'));

/** A word that is no verb. */
export class VerbError extends Error {
  readonly code = 'verb_unknown';
  constructor(word: string) {
    super(`${JSON.stringify(word)} is no verb: write ${[...ASKED].join(', ')}`);
    this.name = 'VerbError';
  }
}

/**
 * Prints what this host would say of an action, and touches nothing. Returns the exit code: 0 when it may run (or is already so), 1 when the
 * host refuses (one of several: also 1). JSON: the verdict of one name; of several names a list of `{kmod, verdict}`.
 *
 * @throws VerbError, KmodNameError
 */
export async function verdictCommand(options: VerdictOptions): Promise<number> {
  const verb = ASKED.has(options.verb) ? verbFromWord(options.verb) : undefined;
  if (verb === undefined) throw new VerbError(options.verb);
  const kmods = options.names.map((name) => canonicalKmodName(name));
  const verdicts = await hostOf(options).assessTogether(kmods.map((kmod) => requestOf(options, verb, kmod)));
  const answers = verdicts.map((verdict, index) => ({ kmod: kmods[index] ?? '', verdict }));
  const text = options.json
    ? `${JSON.stringify(jsonOf(answers), null, 2)}\n`
    : answers.map(({ kmod, verdict }) => verdictText(verdict, options.verb, kmod)).join('\n');
  await new Promise<void>((resolve, reject) =>
    options.stdout.write(text, (error) => (error ? reject(error) : resolve())),
  );
  return answers.every(({ verdict }) => verdict.allowed) ? 0 : 1;
}

function jsonOf(answers: readonly { readonly kmod: string; readonly verdict: Verdict }[]): unknown {
  const [first] = answers;
  if (answers.length === 1 && first !== undefined) return Verdict.toJSON(first.verdict);
  return answers.map(({ kmod, verdict }) => ({ kmod, verdict: Verdict.toJSON(verdict) }));
}

function hostOf(options: VerdictOptions): LinuxActionHost {
  const exec = options.root === '/' ? new NodeExec() : new NoExec();
  return new LinuxActionHost(
    {
      files: new FsHostFiles(options.root),
      exec,
      ownPaths: [options.stateDir, process.execPath],
      // Without a session the default routes stand for the way to the server.
      serverRoute: () => undefined,
    },
    options.policy,
    undefined,
  );
}

function requestOf(options: VerdictOptions, verb: KnownVerb, kmod: string): ActionRequest {
  return {
    actionId: '',
    hostId: '',
    verb,
    kmod,
    parameters: [...options.param],
    dryRun: true,
    expiresAtMs: 0,
    confirmWindowSeconds: 0,
    overrides: [],
    ...UNSIGNED,
  };
}
