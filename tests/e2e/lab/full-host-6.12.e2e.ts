import { expect, it } from 'vitest';
import { fullHostSuite } from '../support/full-host-suite.ts';

fullHostSuite('6.12', {
  tests: (lab, name) =>
    it('comes back after a reboot', async () => {
      const host = lab().host(name);
      const { bootId } = host;
      await host.reboot();
      expect(host.bootId).not.toBe(bootId);
      await lab().connected(name);
      await lab().fresh(name);
    }),
});
