import { fullHostSuite } from '../support/full-host-suite.ts';

fullHostSuite('6.12');
