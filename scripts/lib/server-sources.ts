import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';

/**
 * Lets benchmarks and proofs import the server's sources: Node.js takes the types out of a file by itself, but knows no decorators. Call it before the
 * import.
 */
export function importServerSources(): void {
  registerHooks({
    load: (url, context, next) => {
      if (!/\/services\/server\/src\/.*\.ts$/.test(url)) return next(url, context);
      const path = fileURLToPath(url);
      const { code } = transformSync(readFileSync(path, 'utf8'), {
        loader: 'ts',
        format: 'esm',
        target: 'node24',
        sourcefile: path,
        sourcemap: 'inline',
        tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
      });
      return { format: 'module', source: code, shortCircuit: true };
    },
  });
}
