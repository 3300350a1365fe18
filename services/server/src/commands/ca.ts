import { localAudit } from '../audit/local-audit.ts';
import { CaRotation, type CaStepOptions } from '../ca/ca-rotation.ts';
import type { CaStep } from '../ca/ca-set.machine.ts';
import type { GivenCa } from '../ca/given-ca.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { parsed } from './arguments.ts';
import { forgottenText, standingText, stepText } from './ca-text.ts';
import { UsageError } from './usage-error.ts';

type Print = (line: string) => void;

export const CA_USAGE = `modfleet-server ca show                      which CAs count, what hosts trust, which step is next
modfleet-server ca rotate begin              hosts learn to trust a new CA, too
                [--cert-file FILE --key-file FILE [--key-passphrase-file FILE]]   a CA of yours
modfleet-server ca rotate issue [--strand N]   the new CA issues
modfleet-server ca rotate finish [--strand N]  the old CA is trusted no longer
modfleet-server ca rotate back [--strand N]    takes the last step back
modfleet-server ca rotate forget             erases the keys of the CAs that were replaced: no way back`;

const OPTIONS = {
  strand: { type: 'string' },
  'cert-file': { type: 'string' },
  'key-file': { type: 'string' },
  'key-passphrase-file': { type: 'string' },
} as const;

/** The CA and its rotation, on the server's own machine, as the server's user. */
export async function ca(config: ServerConfig, args: readonly string[], print: Print): Promise<void> {
  const work = parse(args);
  // A person who waits for a command would rather wait than hear of a busy moment.
  const database = new DatabaseService({ ...config, dbConnectTimeoutMs: 30_000 });
  try {
    await work(new CaRotation(config, database, await localAudit(config, database)), print);
  } finally {
    await database.onApplicationShutdown();
  }
}

function parse(args: readonly string[]): (rotation: CaRotation, print: Print) => Promise<void> {
  const { values, positionals } = parsed({ args: [...args], options: OPTIONS, allowPositionals: true }, CA_USAGE);
  const [noun = '', verb = '', ...rest] = positionals;
  if (rest.length > 0) throw usage(`"ca ${positionals.join(' ')}" has a word too many`);
  const named = Object.keys(values);
  const allow = (...options: (keyof typeof OPTIONS)[]): void => {
    const odd = named.find((name) => !options.includes(name as keyof typeof OPTIONS));
    if (odd !== undefined) throw usage(`"ca ${positionals.join(' ')}" takes no --${odd}`);
  };
  if (noun === 'show') {
    if (verb !== '') throw usage(`"ca show" takes no argument, and got ${JSON.stringify(verb)}`);
    allow();
    return async (rotation, print) => print(standingText(await rotation.standing(), new Date()));
  }
  if (noun !== 'rotate') throw usage(noun === '' ? 'say what to do' : `there is no "ca ${noun}"`);
  if (verb === 'forget') {
    allow();
    return async (rotation, print) => print(forgottenText(await rotation.forget()));
  }
  const step = stepOf(verb);
  allow(...(step === 'begin' ? (['cert-file', 'key-file', 'key-passphrase-file'] as const) : (['strand'] as const)));
  const options: CaStepOptions = { strand: strandOf(values.strand), given: givenOf(values) };
  return async (rotation, print) => {
    const onWritten = (): void => print('Written. Waiting for the servers that run to take it over, up to 15 s …');
    print(stepText(await rotation.take(step, { ...options, onWritten })));
  };
}

function stepOf(verb: string): CaStep {
  switch (verb) {
    case 'begin':
    case 'issue':
    case 'finish':
    case 'back':
      return verb;
    default:
      throw usage(verb === '' ? 'say which step' : `there is no "ca rotate ${verb}"`);
  }
}

function strandOf(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^\d{1,9}$/.test(text)) throw usage('--strand wants the number of hosts that may be left behind');
  return Number(text);
}

function givenOf(values: Partial<Record<keyof typeof OPTIONS, string>>): GivenCa | undefined {
  const { 'cert-file': certFile, 'key-file': keyFile, 'key-passphrase-file': passphraseFile } = values;
  if (certFile === undefined && keyFile === undefined && passphraseFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined)
    throw usage('a CA of yours needs both its --cert-file and its --key-file');
  return { certFile, keyFile, passphraseFile: passphraseFile ?? null };
}

function usage(problem: string): UsageError {
  return new UsageError(`${problem}\n${CA_USAGE}`);
}
