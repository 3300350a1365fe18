import { afterAll, beforeAll, describe } from 'vitest';
import { bootHost, KERNEL_SERIES, type LabHost } from '../../../lab/src/lab.ts';
import { IS_WHOLE, PUT_BACK_FILES, putBackSuite, withoutIpv6Suite } from '../support/put-back-suite.ts';

/** What a revert puts back of a network, on real kernels, held against what `ip` shows. */
describe.each(IS_WHOLE ? KERNEL_SERIES : KERNEL_SERIES.slice(-1))('the put-back of a network on %s', (series) => {
  let host: LabHost;

  beforeAll(async () => {
    const name = `put-back-${series.replace('.', '-')}`;
    host = await bootHost({ kind: 'full', series, name, agent: false, files: PUT_BACK_FILES });
    await host.settled();
  });
  afterAll(() => host?.kill());

  putBackSuite(() => host);
});

describe.each(IS_WHOLE ? KERNEL_SERIES.slice(-1) : [])('%s without IPv6', (series) => {
  let host: LabHost;

  beforeAll(async () => {
    const cmdlineExtra = 'ipv6.disable=1';
    host = await bootHost({ kind: 'full', series, name: 'put-back-no-ipv6', agent: false, cmdlineExtra });
    await host.settled();
  });
  afterAll(() => host?.kill());

  withoutIpv6Suite(() => host);
});
