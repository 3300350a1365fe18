import { describe } from 'vitest';
import { postgresUnderTest } from '../support/buses.ts';
import { replicaSuite } from '../support/replica-suite.ts';

describe('three servers, wake-ups over PostgreSQL', () => {
  replicaSuite(postgresUnderTest);
});
