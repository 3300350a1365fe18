import { Writable } from 'node:stream';
import { findingLayer, type Verdict } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { verdictText } from './verdict-text.ts';
import { VerbError, verdictCommand } from './verdict.ts';

const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
const POLICY = { mode: 'act', allow: [], deny: [], protected: [], window: [], window_limit: 600 } as const;

function options(verb: string, name: string) {
  return {
    verb,
    names: [name],
    param: [],
    root: '/',
    json: false,
    policy: POLICY,
    stateDir: '/var/lib/modfleet',
    stdout: sink,
  };
}

describe('modfleet-agent verdict', () => {
  it('refuses words that are no verb and names that are no kmod', async () => {
    await expect(verdictCommand(options('remove', 'dummy'))).rejects.toThrow(VerbError);
    await expect(verdictCommand(options('load', '-r'))).rejects.toThrow(/looks like an option/);
    await expect(verdictCommand(options('load', '../dummy'))).rejects.toThrow(/is no kmod name/);
  });

  const refused: Verdict = {
    allowed: false,
    decidedBy: 'held_by',
    findings: [
      {
        layer: findingLayer('held_by'),
        code: 'held_by',
        refuses: true,
        message: 'base is used by dependent',
        evidence: [{ kind: 'kmod', value: 'dependent\u001b[31m' }],
      },
    ],
    plan: [],
    reloadPaths: [],
    digest: Buffer.alloc(0),
  };

  it('says the answer first, then why, and nothing that fools a terminal', () => {
    expect(verdictText(refused, 'unload', 'base')).toBe(`unload base: refused (held_by)
base is used by dependent

FINDINGS
  held_by (refuses): base is used by dependent
    kmod  dependent?[31m
`);
  });

  it('shows the plan and what could undo it', () => {
    const allowed: Verdict = {
      allowed: true,
      decidedBy: 'ok',
      findings: [],
      plan: [{ kind: 'rmmod', kmod: 'base', parameters: [], because: 'asked for' }],
      reloadPaths: [{ kind: 'dependant', value: 'dependent' }],
      digest: Buffer.alloc(0),
    };
    expect(verdictText(allowed, 'unload', 'base')).toBe(`unload base: would be done. Nothing was touched.

PLAN
  1.  rmmod base  asked for

CAN BRING IT BACK
  dependant  dependent
`);
    const why = 'x.conf cannot be read (EIO)';
    const more = { ...allowed, plan: [], reloadPaths: [...allowed.reloadPaths, { kind: 'unknown', value: why }] };
    expect(verdictText(more, 'unload', 'base')).toContain(`CAN BRING IT BACK
  dependant  dependent

WHETHER ANYTHING ELSE CAN BRING IT BACK IS NOT KNOWN
  ${why}
`);
    const only = { ...more, reloadPaths: more.reloadPaths.slice(1) };
    expect(verdictText(only, 'unload', 'base')).toContain(`
WHETHER ANYTHING CAN BRING IT BACK IS NOT KNOWN
  ${why}
`);
  });
});
