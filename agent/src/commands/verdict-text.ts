import { type Finding, splitPaths, type Verdict } from '@modfleet/proto';
import { printable, textTable } from './text-table.ts';

/** The verdict for a person: the answer first, then why, what would be done, and what could undo it. */
export function verdictText(verdict: Verdict, verb: string, kmod: string): string {
  const { seen, unknown } = splitPaths(verdict.reloadPaths);
  const sections = [
    headline(verdict, verb, kmod),
    section('FINDINGS', verdict.findings.map(findingText)),
    section(
      'PLAN',
      verdict.plan.length === 0
        ? []
        : [
            textTable(
              verdict.plan.map((step, index) => [
                `${index + 1}.`,
                [step.kind, step.kmod, ...step.parameters].join(' '),
                step.because,
              ]),
              '  ',
            ),
          ],
    ),
    section(
      'CAN BRING IT BACK',
      seen.length === 0
        ? []
        : [
            textTable(
              seen.map((path) => [path.kind, path.value]),
              '  ',
            ),
          ],
    ),
    section(
      `WHETHER ANYTHING ${seen.length > 0 ? 'ELSE ' : ''}CAN BRING IT BACK IS NOT KNOWN`,
      unknown.map((why) => `  ${printable(why)}`),
    ),
  ];
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`;
}

function headline(verdict: Verdict, verb: string, kmod: string): string {
  const reason = printable(verdict.findings[0]?.message ?? '');
  if (!verdict.allowed && verdict.plan.length > 0)
    return `${verb} ${kmod}: could be done, but not as this host is set up (${verdict.decidedBy})\n${reason}`;
  if (!verdict.allowed) return `${verb} ${kmod}: refused (${verdict.decidedBy})\n${reason}`;
  if (verdict.decidedBy === 'unchanged') return `${verb} ${kmod}: nothing to do\n${reason}`;
  return `${verb} ${kmod}: would be done. Nothing was touched.`;
}

function findingText(finding: Finding): string {
  const mark = finding.refuses ? 'refuses' : 'notes';
  const shown = finding.evidence.map((one) => [one.kind, one.value]);
  const head = `  ${finding.code} (${mark}): ${printable(finding.message)}`;
  return shown.length === 0 ? head : `${head}\n${textTable(shown, '    ')}`;
}

function section(title: string, parts: readonly string[]): string {
  return parts.length === 0 ? '' : [title, ...parts].join('\n');
}
