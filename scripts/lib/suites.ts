import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { globSync } from 'node:fs';
import { join, relative } from 'node:path';
import { binFolder, cacheFolder, repository } from './paths.ts';
import { runProgram } from './program.ts';

/** What a set of tests came to. */
export interface SuiteResult {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What failed, and why something was skipped or could not run, one line each. */
  readonly notes: readonly string[];
}

/** A set of test files with what it needs of the machine. */
export interface Suite {
  readonly name: string;
  /** Vitest project or projects (vitest.config.ts). */
  readonly project: 'unit*' | 'integration' | 'e2e' | 'containers' | 'lab';
  /** Files, as globs relative to the repository. */
  readonly files: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Why this machine cannot run it; undefined when it can. */
  readonly missing?: () => Promise<string | undefined>;
  /** Runs beside the others: it mostly waits, for hosts that boot and for time to pass. */
  readonly beside?: boolean;
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numFailedTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

export function filesOf(suite: Suite): string[] {
  const exclude = (path: string) => /(^|\/)(node_modules|dist)(\/|$)/.test(path);
  return globSync([...suite.files], { cwd: repository, exclude }).sort();
}

/** Runs one suite; a suite whose needs are missing counts its files as skipped, with the reason. `prefix` goes before each line it writes. */
export async function runSuite(suite: Suite, prefix?: string): Promise<SuiteResult> {
  const files = filesOf(suite);
  if (files.length === 0)
    return { name: suite.name, passed: 0, failed: 1, skipped: 0, notes: ['no test file matches'] };
  const missing = await suite.missing?.();
  if (missing !== undefined)
    return {
      name: suite.name,
      passed: 0,
      failed: 0,
      skipped: files.length,
      notes: [`skipped (${files.length} files): ${missing}`],
    };
  const report = join(cacheFolder, 'reports', `${suite.name.replaceAll(/\W+/g, '-')}-${process.pid}.json`);
  mkdirSync(join(cacheFolder, 'reports'), { recursive: true });
  const end = await runProgram(
    join(binFolder, 'vitest'),
    [
      'run',
      '--project',
      suite.project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...files,
    ],
    {
      show: true,
      ...(prefix === undefined ? {} : { showPrefix: prefix }),
      env: { ...process.env, ...suite.env },
    },
  );
  const result = summarise(suite, end.status, report);
  rmSync(report, { force: true });
  return result;
}

function summarise(suite: Suite, status: number, reportFile: string): SuiteResult {
  let report: VitestReport;
  try {
    report = JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport;
  } catch {
    return { name: suite.name, passed: 0, failed: 1, skipped: 0, notes: ['the test runner wrote no report'] };
  }
  // A file that does not load has no tests to count, and an error outside every test fails the run alone: each is one failure.
  const unloaded = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
  const outside = status !== 0 && report.numFailedTests + unloaded.length === 0 ? 1 : 0;
  return {
    name: suite.name,
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded.length + outside,
    skipped: report.numPendingTests + report.numTodoTests,
    notes: [
      ...failedTests(report),
      ...unloaded.map((file) => `did not load: ${file.name}`),
      ...(outside === 1 ? ['the run failed outside the tests (see above)'] : []),
      ...(report.numPendingTests + report.numTodoTests > 0 ? ['tests skipped themselves (see above)'] : []),
    ],
  };
}

/** One line for each failed test, so that the end of a long output names them: file, test, first line of the error. */
function failedTests(report: VitestReport): string[] {
  return report.testResults.flatMap((file) =>
    file.assertionResults
      .filter((test) => test.status === 'failed')
      .map((test) => {
        const [why = ''] = (test.failureMessages?.[0] ?? '').split('\n');
        return `failed: ${relative(repository, file.name)}: ${test.fullName}: ${why}`;
      }),
  );
}
