import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { decodeFacet, encodeFacet, Facet } from '@modfleet/proto';
import { canonicalKmodName } from '@modfleet/proto';
import { parseProcModules } from '../../agent/src/kmod/proc-modules.ts';
import type { CapturedFile } from './captured-kernel.ts';

/** Index files of depmod whose lines are about one kmod: which name a line is about. */
const CUT: Readonly<Record<string, (line: string) => string>> = {
  'modules.dep': (line) => nameOfFile(line.split(':', 1)[0] ?? ''),
  'modules.alias': (line) => canonicalKmodName(line.split(' ')[2] ?? ''),
  'modules.softdep': (line) => canonicalKmodName(line.split(' ')[1] ?? ''),
};

/**
 * Makes the file that the swarm reads of what `capture.ts` brought from a lab host. Of depmod's index only the lines of kmods that were loaded stay: every
 * simulated host keeps names of it.
 *
 * @param tarGz the tree. @param available the facet, encoded.
 */
export function writeCapturedFile(file: string, tarGz: Buffer, available: Buffer): void {
  const folder = mkdtempSync(join(tmpdir(), 'modfleet-captured-'));
  try {
    execFileSync('tar', ['-xz', '-C', folder], { input: tarGz });
    const nodes: Record<string, CapturedFile['nodes'][string]> = {};
    walk(folder, '', nodes);
    const release = String(nodes['/proc/sys/kernel/osrelease']).trim();
    const loaded = new Set(parseProcModules(String(nodes['/proc/modules'])).map(({ name }) => name));
    for (const [path, node] of Object.entries(nodes)) {
      const nameOf = CUT[path.slice(path.lastIndexOf('/') + 1)];
      if (nameOf === undefined || typeof node !== 'string') continue;
      nodes[path] = node
        .split('\n')
        .filter((line) => line === '' || line.startsWith('#') || loaded.has(nameOf(line)))
        .join('\n');
    }
    const facet = decodeFacet(Facet.FACET_AVAILABLE, available);
    const kmods = facet.kmods.filter(({ name, builtin }) => builtin || loaded.has(name));
    const content: CapturedFile = {
      release,
      nodes,
      available: Buffer.from(encodeFacet(Facet.FACET_AVAILABLE, { ...facet, kmods })).toString('base64'),
    };
    writeFileSync(file, gzipSync(JSON.stringify(content), { level: 9 }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function walk(root: string, below: string, nodes: Record<string, CapturedFile['nodes'][string]>): void {
  for (const entry of readdirSync(join(root, below), { withFileTypes: true })) {
    const path = `${below}/${entry.name}`;
    if (entry.isSymbolicLink()) nodes[path] = { link: readlinkSync(join(root, path)) };
    else if (entry.isDirectory()) walk(root, path, nodes);
    else nodes[path] = textOrBytes(readFileSync(join(root, path)));
  }
}

function textOrBytes(bytes: Buffer): CapturedFile['nodes'][string] {
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : { base64: bytes.toString('base64') };
}

function nameOfFile(path: string): string {
  return canonicalKmodName((path.split('/').at(-1) ?? '').replace(/\.ko(\.\w+)?$/, ''));
}
