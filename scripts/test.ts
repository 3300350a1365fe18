import { parseArgs } from 'node:util';
import { runChecks } from './lib/checks.ts';
import { composeMissing, dockerMissing, labMissing, namespacesMissing, natsMissing } from './lib/machine-needs.ts';
import { build } from './lib/make.ts';
import { ScriptError, runMain } from './lib/program.ts';
import { type Suite, type SuiteResult, runSuite } from './lib/suites.ts';

const HELP = `npm test [-- OPTIONS] [SUITE …]: everything, or the named suites: check unit integration
testcontainers nats e2e partition cluster lab compose.

  --require-all   what this machine cannot run counts as failed, not as skipped (CI)
  --help          this text`;

/** They want a real nats-server. */
const NATS_FILES = ['services/server/src/bus/nats-*.itest.ts'];
/** They want network namespaces. */
const PARTITION_FILES = ['tests/e2e/local/partition.e2e.ts'];

const SUITES: readonly Suite[] = [
  { name: 'unit', project: 'unit*', files: ['{proto,agent,services,lab,scripts,bench,tests}/**/*.spec.ts'] },
  {
    name: 'integration',
    project: 'integration',
    files: ['{agent,services}/**/*.itest.ts'],
    except: NATS_FILES,
    // DATABASE_URL wins; without it the embedded server, so that a run does not depend on an engine that happens to answer.
    env: { MODFLEET_TEST_POSTGRES: 'embedded' },
  },
  {
    name: 'testcontainers',
    project: 'integration',
    files: ['services/server/src/database/**/*.itest.ts'],
    env: { MODFLEET_TEST_POSTGRES: 'testcontainers', TESTCONTAINERS_RYUK_DISABLED: 'true' },
    missing: dockerMissing,
  },
  {
    name: 'nats',
    project: 'integration',
    files: NATS_FILES,
    env: { MODFLEET_TEST_POSTGRES: 'embedded' },
    missing: natsMissing,
  },
  { name: 'e2e', project: 'e2e', files: ['tests/e2e/local/**/*.e2e.ts'], except: PARTITION_FILES },
  { name: 'partition', project: 'e2e', files: PARTITION_FILES, missing: namespacesMissing },
  { name: 'cluster', project: 'containers', files: ['tests/e2e/cluster/**/*.e2e.ts'], missing: natsMissing },
  { name: 'lab', project: 'lab', files: ['tests/e2e/lab/**/*.e2e.ts'], missing: labMissing, beside: true },
  { name: 'compose', project: 'containers', files: ['tests/e2e/compose/**/*.e2e.ts'], missing: composeMissing },
];

/** A suite's result, and how long it took. */
interface Timed extends SuiteResult {
  readonly seconds: number;
}

async function timed(run: Promise<SuiteResult>): Promise<Timed> {
  const startedMs = performance.now();
  return { ...(await run), seconds: Math.round((performance.now() - startedMs) / 1000) };
}

async function checkSuite(): Promise<SuiteResult> {
  const results = await runChecks();
  const passed = results.filter((result) => result.passed).length;
  return { name: 'check', passed, failed: results.length - passed, skipped: 0, notes: [] };
}

function summary(results: readonly Timed[], requireAll: boolean): number {
  const skippedAsFailed = (result: SuiteResult) => (requireAll ? result.skipped : 0);
  console.log('');
  for (const result of results) {
    console.log(
      `${result.name.padEnd(16)} ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped in ${result.seconds} s`,
    );
    for (const note of result.notes) console.log(`${' '.repeat(16)} ${note}`);
  }
  const total = (pick: (result: SuiteResult) => number) => results.reduce((sum, result) => sum + pick(result), 0);
  const failed = total((result) => result.failed + skippedAsFailed(result));
  const skipped = requireAll ? 0 : total((result) => result.skipped);
  if (requireAll && total((result) => result.skipped) > 0)
    console.log('here everything is required: what was skipped counts as failed');
  console.log(`${total((result) => result.passed)} passed, ${failed} failed, ${skipped} skipped`);
  return failed === 0 ? 0 : 1;
}

/** One suite after the other. Two lanes write side by side, so then each line says whose it is. */
async function runLane(suites: readonly Suite[], prefixed: boolean): Promise<Timed[]> {
  const results: Timed[] = [];
  for (const suite of suites) {
    console.log(`\n── ${suite.name}`);
    results.push(await timed(runSuite(suite, prefixed ? `${suite.name.padEnd(14)} ` : undefined)));
  }
  return results;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'require-all': { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const names = ['check', ...SUITES.map((suite) => suite.name)];
  const unknown = positionals.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new ScriptError(`no suite "${unknown}"; there are: ${names.join(', ')}.`);
  const wanted = (name: string) => positionals.length === 0 || positionals.includes(name);
  await build();
  const suites = SUITES.filter((one) => wanted(one.name));
  const beside = suites.length > 1 ? suites.filter((suite) => suite.beside === true) : [];
  const others = suites.filter((suite) => !beside.includes(suite));
  const checked = async () => (wanted('check') ? [await timed(checkSuite())] : []);
  const lanes = await Promise.all([
    checked().then(async (results) => [...results, ...(await runLane(others, beside.length > 0))]),
    runLane(beside, beside.length > 0),
  ]);
  const results = lanes.flat();
  return summary(results, values['require-all'] === true);
}

await runMain(main);
