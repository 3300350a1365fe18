import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveQuery } from './live-query.ts';

const clock = { now: () => 5 };
const targets = ['a', 'b', 'c'].map((id) => ({ id, name: `host-${id}` }));

describe('LiveQuery', () => {
  it('streams answers as they come and says who did not answer', async () => {
    const query = new LiveQuery(targets, clock);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const answers of query.answers()) seen.push(...answers.map(({ host }) => host.name));
    })();
    query.answer('b', []);
    query.noAnswer('c', 'silent', 'not connected');
    await Promise.resolve();
    expect(query.done).toBe(false);
    query.finish('no answer within 2 s');
    await reading;
    expect(seen).toEqual(['host-b']);
    expect(query.end()).toEqual({
      targets: 3,
      answered: 1,
      noAnswer: [
        { host: { id: 'a', name: 'host-a' }, reason: 'timeout', detail: 'no answer within 2 s' },
        { host: { id: 'c', name: 'host-c' }, reason: 'silent', detail: 'not connected' },
      ],
      elapsedMs: 0,
    });
  });

  it('accounts for every target exactly once, whatever comes in whatever order', async () => {
    const happening = fc.record({ host: fc.constantFrom('a', 'b', 'c', 'stranger'), answers: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { maxLength: 12 }), async (events) => {
        const query = new LiveQuery(targets, clock);
        for (const { host, answers } of events) {
          if (answers) query.answer(host, []);
          else query.noAnswer(host, 'error', 'cannot say');
        }
        query.finish('time is over');
        query.answer('a', []);
        const seen: string[] = [];
        for await (const answers of query.answers()) seen.push(...answers.map(({ host }) => host.id));
        const end = query.end();
        expect(end.answered).toBe(seen.length);
        expect([...seen, ...end.noAnswer.map(({ host }) => host.id)].sort()).toEqual(['a', 'b', 'c']);
      }),
    );
  });
});
