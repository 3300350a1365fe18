import type { LabHost } from '../host/lab-host.ts';
import { putFile } from '../host/put-file.ts';
import { LabError } from '../lab-error.ts';
import type { Attempt, VerdictSeen } from './predict.ts';

/** Opening a kernel's tables and all of /proc, emulated, on a machine with other work. */
const VERDICTS_MS = 900_000;
/** A few dozen attempts of a second each. */
const ATTEMPTS_MS = 600_000;
/** rmmod and modprobe answer in well under a second; one that does not is stuck. */
const ATTEMPT_S = 30;
/** Attempts of one command of the harness. */
const CHUNK = 40;

/** One line for each attempt: kmod, exit code, gone, came, words. */
const SEPARATOR = '|';

/** Makes the agent's answer small on the host: the serial line is slow. */
const COMPACT = `
let text = '';
process.stdin.on('data', (chunk) => (text += chunk)).on('end', () => {
  const answer = JSON.parse(text);
  const list = Array.isArray(answer) ? answer : [{ kmod: process.argv[2], verdict: answer }];
  process.stdout.write(JSON.stringify(list.map(({ kmod, verdict }) => ({
    kmod,
    findings: (verdict.findings ?? []).map((one) => ({
      code: one.code, kernel: one.layer === 'FINDING_LAYER_KERNEL', refuses: one.refuses ?? false, message: one.message ?? '',
      evidence: (one.evidence ?? []).slice(0, 24).map((shown) => shown.kind + ' ' + shown.value),
    })),
    plan: (verdict.plan ?? []).map((step) => step.kmod),
    tries: (verdict.plan ?? []).flatMap((step) => (/soft dependencies: (.*)$/.exec(step.because ?? '')?.[1] ?? '').split(', ').filter(Boolean)),
  }))));
});
`;

/** What the agent on the host says of a verb on some kmods, all at one moment. */
export async function takeVerdicts(
  host: LabHost,
  verb: 'load' | 'unload',
  kmods: readonly string[],
  parameters: readonly string[] = [],
): Promise<VerdictSeen[]> {
  if (kmods.length === 0) return [];
  await putFile(host, '/run/oracle-compact.cjs', Buffer.from(COMPACT));
  const given = parameters.map((one) => `--param '${one}'`).join(' ');
  const command = `modfleet-agent verdict ${verb} ${kmods.join(' ')} ${given} --json 2>/run/oracle.err | node /run/oracle-compact.cjs ${kmods[0] ?? ''} || cat /run/oracle.err >&2`;
  const result = await host.run(command, { timeoutMs: VERDICTS_MS });
  try {
    return JSON.parse(result.stdout) as VerdictSeen[];
  } catch (cause) {
    throw new LabError(`${host.name}: the agent gave no verdicts: ${result.stderr.trim().slice(0, 500)}`, { cause });
  }
}

/** Programs by their path: busybox would run its own rmmod for a bare name. */
const LISTS = `
attempt() { # attempt NAME COMMAND…: tries it, and says what changed
	name=$1; shift
	cat /proc/modules >/run/oracle.before
	said=$(timeout ${ATTEMPT_S} "$@" 2>&1); code=$?
	# modprobe has these words for ENOENT, which a file that is gone gives as well; the kernel's log names the symbol (read once: -c).
	case $said in *'Unknown symbol'*) dmesg -c | grep -q ': Unknown symbol' || said="no file: $said" ;; esac
	cat /proc/modules >/run/oracle.after
	changed=$(awk 'NR == FNR { was[$1]; next }
		{ is[$1]; if (!($1 in was)) came = came "+" $1 }
		END { for (x in was) if (!(x in is)) gone = gone "+" x; print substr(gone, 2) "${SEPARATOR}" substr(came, 2) }' /run/oracle.before /run/oracle.after)
	gone=\${changed%${SEPARATOR}*}
	echo "ATTEMPT${SEPARATOR}$name${SEPARATOR}$code${SEPARATOR}$changed${SEPARATOR}$(echo "$said" | tr '\\n${SEPARATOR}' '  ')"
}
`;

/** `rmmod`, past our policy, of each in turn; what went is loaded again before the next. */
export async function tryUnloads(host: LabHost, kmods: readonly string[]): Promise<Attempt[]> {
  await host.writeFile(
    '/run/oracle-unload.sh',
    `${LISTS}
for x in "$@"; do
	attempt $x /usr/sbin/rmmod $x
	[ -z "$gone" ] || modprobe $x 2>/dev/null || modprobe $(echo $x | tr _ -) 2>/dev/null
done
`,
  );
  const found: Attempt[] = [];
  for (let start = 0; start < kmods.length; start += CHUNK) {
    const chunk = kmods.slice(start, start + CHUNK);
    const said = await host.must(`sh /run/oracle-unload.sh ${chunk.join(' ')}`, { timeoutMs: ATTEMPTS_MS });
    found.push(...parseAttempts(said));
  }
  return found;
}

/** `modprobe` of one kmod; `after` puts the host back. */
export async function tryLoad(host: LabHost, kmod: string, parameters: readonly string[] = []): Promise<Attempt> {
  await host.writeFile('/run/oracle-load.sh', `${LISTS}\nattempt "$1" /usr/sbin/modprobe -- "$@"\n`);
  const given = parameters.map((one) => `'${one}'`).join(' ');
  const [attempt] = parseAttempts(
    await host.must(`sh /run/oracle-load.sh ${kmod} ${given}`, { timeoutMs: ATTEMPTS_MS }),
  );
  if (attempt === undefined) throw new LabError(`${host.name}: no answer about the load of ${kmod}`);
  return attempt;
}

/** Reads the lines that `attempt` printed. */
export function parseAttempts(text: string): Attempt[] {
  const list = (field: string | undefined): string[] => (field ?? '').split('+').filter((name) => name !== '');
  return text.split('\n').flatMap((line) => {
    const [mark, kmod, code, gone, came, ...said] = line.split(SEPARATOR);
    if (mark !== 'ATTEMPT' || kmod === undefined) return [];
    return [{ kmod, exitCode: Number(code), gone: list(gone), came: list(came), said: said.join(SEPARATOR).trim() }];
  });
}

/** Kmod, reference count and users of every line of /proc/modules. */
export async function loadedNow(host: LabHost): Promise<Map<string, string>> {
  const lines = (await host.must('cat /proc/modules')).split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', , references, users] = line.split(' ');
      return [name, `${references === '0' ? 'idle' : 'used'} ${users ?? ''}`];
    }),
  );
}
