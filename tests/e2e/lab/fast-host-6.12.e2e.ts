import { fastHostSuite } from '../support/fast-host-suite.ts';
import { verbsSuite } from '../support/verbs-suite.ts';

// Its kmods are .xz: the longest way to `available`.
fastHostSuite('6.12', { collects: true, more: verbsSuite });
