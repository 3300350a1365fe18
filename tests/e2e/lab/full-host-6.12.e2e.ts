import { it } from 'vitest';
import { fullHostSuite } from '../support/full-host-suite.ts';

fullHostSuite('6.12', {
  tests: (lab, name) =>
    it('comes back after a reboot', async () => {
      await lab().host(name).reboot();
      await lab().connected(name);
      await lab().fresh(name);
    }),
});
