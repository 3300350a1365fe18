import { join } from 'node:path';
import { binFolder, typescriptCompiler } from './paths.ts';
import { runProgram } from './program.ts';

/** One of the checks that need no database and no host. */
interface Check {
  readonly name: string;
  /** Path of the program. */
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** What mends it. */
  readonly fix: string;
}

const CHECKS: readonly Check[] = [
  { name: 'types', program: typescriptCompiler, args: ['-b', '--pretty', 'false'], fix: 'mend the types named above' },
  {
    name: 'lint',
    program: join(binFolder, 'oxlint'),
    args: ['--type-aware', '--deny-warnings'],
    fix: 'npx oxlint --type-aware --fix mends some of it',
  },
  {
    name: 'format',
    program: join(binFolder, 'prettier'),
    args: ['--check', '--log-level', 'warn', '.'],
    fix: 'npm run format',
  },
  {
    name: 'import rules',
    program: join(binFolder, 'depcruise'),
    args: [
      '--config',
      '.dependency-cruiser.cjs',
      '--output-type',
      'err-long',
      'proto',
      'agent',
      'services',
      'lab',
      'tests',
      'scripts',
    ],
    fix: 'docs/layout.md says who may import whom',
  },
  {
    name: 'proto lint',
    program: join(binFolder, 'buf'),
    args: ['lint'],
    cwd: 'proto',
    fix: 'npx buf lint in proto/ names the line',
  },
];

export interface CheckResult {
  readonly name: string;
  readonly passed: boolean;
}

/** Runs all checks, says how each went, and prints what a failed one wrote with the way to mend it. */
export async function runChecks(): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of CHECKS) {
    const began = Date.now();
    const end = await runProgram(check.program, check.args, check.cwd === undefined ? {} : { cwd: check.cwd });
    const passed = end.status === 0;
    console.log(`${passed ? '✓' : '✗'} check: ${check.name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    if (!passed) console.log(`${end.output.trim()}\n  → ${check.fix}`);
    results.push({ name: check.name, passed });
  }
  return results;
}
