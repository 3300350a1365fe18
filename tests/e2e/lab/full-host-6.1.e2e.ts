import { fullHostSuite } from '../support/full-host-suite.ts';
import { PRIVILEGE_POLICY, privilegeSuite } from '../support/privilege-suite.ts';

fullHostSuite('6.1', { config: PRIVILEGE_POLICY, tests: privilegeSuite });
