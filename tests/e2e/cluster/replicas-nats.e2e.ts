import { describe } from 'vitest';
import { natsUnderTest } from '../support/buses.ts';
import { replicaSuite } from '../support/replica-suite.ts';

describe('three servers, wake-ups over NATS', () => {
  replicaSuite(natsUnderTest);
});
