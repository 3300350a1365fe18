import { Option } from 'commander';
import { allPagesOption, durationOption, jsonOption, limitOption } from '../command-line/options.ts';
import type { Register } from '../command-line/runner.ts';
import { hostName, kmodName } from '../command-line/values.ts';
import type { AuditListOptions } from './audit-list.run.ts';
import type { AuditVerifyOptions } from './audit-verify.run.ts';

const AGE = { min: 1000, max: 3660 * 86_400_000 };

export const registerAudit: Register = (program, run) => {
  const audit = program
    .command('audit')
    .helpCommand(false)
    .description('what was decided, by whom, and whether that record is whole');

  audit
    .command('list')
    .description('decisions, latest first: who, from where, what, about which hosts, with which outcome')
    .addOption(new Option('--who <name>', 'of this token, account or host only (name or id)'))
    .addOption(new Option('--host <host>', 'about this host only').argParser(hostName))
    .addOption(new Option('--kmod <name>', 'about this kmod only').argParser(kmodName))
    .addOption(new Option('--what <word>', 'of this kind only: action, action.request, fleet.freeze, host.label, …'))
    .addOption(new Option('--outcome <word>', 'allowed, or the code of a refusal, for example frozen'))
    .addOption(durationOption('--since <time>', 'not older than this, for example 24h', AGE))
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .action((options: AuditListOptions) =>
      run(async (context) => (await import('./audit-list.run.ts')).auditList(context, options)),
    );

  audit
    .command('verify')
    .description('check every row and seal; exit 0 only when the record is whole')
    .addOption(jsonOption())
    .action((options: AuditVerifyOptions) =>
      run(async (context) => (await import('./audit-verify.run.ts')).auditVerify(context, options)),
    );
};
