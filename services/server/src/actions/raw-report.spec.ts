import { ActionResult } from '@modfleet/proto';
import { expect, it } from 'vitest';
import { rawReport, storable } from './raw-report.ts';

it('keeps a report with words of a newer contract', () => {
  const report = ActionResult.fromPartial({
    actionId: 'a',
    outcome: 99 as never,
    verdict: {
      allowed: true,
      findings: [
        { layer: 47 as never, code: 'odd' },
        { layer: 1, code: 'in_use' },
      ],
    },
    confirm: { end: 12 as never, cause: 'x' },
  });
  expect(() => ActionResult.toJSON(report)).toThrow('Unrecognized enum value');
  expect(rawReport(report)).toMatchObject({
    actionId: 'a',
    unknownOutcome: 99,
    verdict: { findings: [{ code: 'odd' }, { layer: 'FINDING_LAYER_KERNEL', code: 'in_use' }] },
    confirm: { cause: 'x' },
  });
});

it('is the report as it is where every word is known', () => {
  const report = ActionResult.fromPartial({ actionId: 'a', outcome: 1, requestDigest: Buffer.from([1]) });
  expect(rawReport(report)).toEqual(ActionResult.toJSON(report));
});

it('says U+FFFD for NUL, wherever it stands, and leaves bytes alone', () => {
  const report = ActionResult.fromPartial({
    actionId: 'a\0b',
    kernelLog: ['x\0', 'y'],
    requestDigest: Buffer.from([0, 1]),
    verdict: { findings: [{ code: '\0' }] },
  });
  expect(storable(report)).toMatchObject({
    actionId: 'a\ufffdb',
    kernelLog: ['x\ufffd', 'y'],
    requestDigest: Buffer.from([0, 1]),
    verdict: { findings: [{ code: '\ufffd' }] },
  });
});
