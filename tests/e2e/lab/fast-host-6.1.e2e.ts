import { fastHostSuite } from '../support/fast-host-suite.ts';

fastHostSuite('6.1', { watchdog: true });
