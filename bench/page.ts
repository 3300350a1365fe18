import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resultFile } from '../scripts/lib/measured.ts';
import { repository } from '../scripts/lib/paths.ts';
import { figuresPage } from './page/document.ts';
import { readResult, type ResultFile } from './page/result-file.ts';

const PAGE = join(repository, 'docs/figures.html');
const STYLE = fileURLToPath(new URL('page/page.css', import.meta.url));

/**
 * `npm run bench -- page`: docs/figures.html from all that bench/results has. One file that any browser shows, from a disk too: bars and short lines are
 * some lines of SVG, for which a chart library would be a script of a hundred times the size.
 */
export function drawPage(): number {
  const folder = dirname(resultFile('any'));
  const files = readdirSync(folder).flatMap((file): ResultFile[] => {
    if (!file.endsWith('.json')) return [];
    const json: unknown = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    return [readResult(file.slice(0, -'.json'.length), json)];
  });
  writeFileSync(PAGE, figuresPage(files, readFileSync(STYLE, 'utf8')));
  console.log(PAGE);
  return 0;
}
