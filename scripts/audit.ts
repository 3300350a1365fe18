import { licences, lookedAt, unknownLicences } from './lib/licences.ts';
import { npmAudit, unexplained } from './lib/npm-audit.ts';
import { ScriptError, runMain } from './lib/program.ts';

/** `npm run audit`: known holes in what is installed, and the licences of all of it. `--list` prints each package. */
await runMain(async () => {
  const packages = licences();
  const counts: Record<string, number> = {};
  for (const { licence } of packages) counts[licence] = (counts[licence] ?? 0) + 1;
  if (process.argv.includes('--list'))
    for (const one of packages) console.log([one.name, one.version, one.licence, one.tool ? 'tool' : ''].join('\t'));
  console.log(
    `${packages.length} packages: ${Object.entries(counts)
      .map(([name, times]) => `${name} ${times}`)
      .join(', ')}`,
  );
  for (const line of lookedAt(packages)) console.log(`looked at: ${line}`);
  const unknown = unknownLicences(packages);
  for (const { name, licence } of unknown)
    console.log(`✗ ${name} is under ${licence}, which nobody has looked at (scripts/lib/licences.ts)`);
  const answer = await npmAudit();
  if (answer.kind === 'silent')
    throw new ScriptError(
      `npm audit says nothing here (${answer.why}): nothing is known of holes. Run it where the registry answers.`,
    );
  const open = unexplained(answer.advisories);
  for (const one of open)
    console.log(
      `✗ ${one.package}: ${one.title} (${one.severity}, ${one.id}); mend it, or explain it in docs/security.md`,
    );
  console.log(`npm audit: ${answer.advisories.length} findings, ${open.length} not explained`);
  return unknown.length === 0 && open.length === 0 ? 0 : 1;
});
