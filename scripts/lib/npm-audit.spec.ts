import { expect, it } from 'vitest';
import { readAudit, unexplained } from './npm-audit.ts';

const answer = {
  auditReportVersion: 2,
  vulnerabilities: {
    left: {
      via: [
        { source: 1, url: 'https://github.com/advisories/GHSA-aaaa-bbbb-cccc', severity: 'high', title: 'falls over' },
      ],
    },
    right: { via: ['left'] },
  },
};

it('reads findings, each once, and what depends on them not at all', () => {
  const read = readAudit(`npm warn x\n${JSON.stringify(answer, undefined, 2)}\nnpm error y`);
  expect(read).toEqual({
    kind: 'answered',
    advisories: [{ id: 'GHSA-aaaa-bbbb-cccc', package: 'left', severity: 'high', title: 'falls over' }],
  });
  expect(read.kind === 'answered' && unexplained(read.advisories)).toHaveLength(1);
});

it('a registry that does not answer is no clean audit', () => {
  const refused = { message: '405 Method Not Allowed', statusCode: 405 };
  expect(readAudit(JSON.stringify(refused, undefined, 2))).toEqual({ kind: 'silent', why: '405 Method Not Allowed' });
  expect(readAudit('npm error network')).toEqual({ kind: 'silent', why: 'npm error network' });
  expect(readAudit(JSON.stringify({ vulnerabilities: {} }, undefined, 2))).toEqual({
    kind: 'answered',
    advisories: [],
  });
});
