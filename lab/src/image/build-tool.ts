import { runProgram } from '../run-program.ts';

/** A compiler is all that the lab needs: these programs bring what they use of a C library themselves, and no compiler may put calls of one in. */
const FLAGS = [
  '-nostdlib',
  '-static',
  '-Os',
  '-s',
  '-ffreestanding',
  '-fno-stack-protector',
  '-fno-tree-loop-distribute-patterns',
];

/** Compiles one of the lab's own programs for its hosts. */
export async function buildTool(source: string, program: string): Promise<void> {
  await runProgram('gcc-12', [...FLAGS, '-o', program, source]);
}
