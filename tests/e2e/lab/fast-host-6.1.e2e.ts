import { watchdogSuite } from '../support/confirm-suite.ts';
import { fastHostSuite } from '../support/fast-host-suite.ts';
import { topologySuite } from '../support/topology-suite.ts';

fastHostSuite('6.1', {
  config: ['reboot_to_recover: true'],
  more: (lab, name) => {
    topologySuite(lab, name);
    watchdogSuite(lab, name);
  },
});
