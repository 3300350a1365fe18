import { describe } from 'vitest';
import { replicaSuite } from '../support/replica-suite.ts';

describe('three servers, wake-ups over PostgreSQL', () => {
  replicaSuite(() =>
    Promise.resolve({
      settings: {},
      down: (cluster) => cluster.listenLine.cut(),
      up: (cluster) => cluster.listenLine.mend(),
      stop: () => Promise.resolve(),
    }),
  );
});
