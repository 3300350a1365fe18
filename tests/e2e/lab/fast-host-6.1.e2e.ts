import { watchdogSuite } from '../support/confirm-suite.ts';
import { fastHostSuite } from '../support/fast-host-suite.ts';

fastHostSuite('6.1', { config: ['reboot_to_recover: true'], more: watchdogSuite });
