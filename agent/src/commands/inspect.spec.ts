import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { inspectCommand } from './inspect.ts';

const ROOT = new URL('../../testdata/roots/container/root', import.meta.url).pathname;

function sink(): { stdout: Writable; text: () => string } {
  let text = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString('utf8');
      done();
    },
  });
  return { stdout, text: () => text };
}

describe('inspect', () => {
  it('shows a captured root, as words and as JSON', async () => {
    const words = sink();
    expect(await inspectCommand({ root: ROOT, json: false, stdout: words.stdout })).toBe(0);
    expect(words.text()).toContain('br_netfilter');
    const json = sink();
    expect(await inspectCommand({ root: ROOT, json: true, stdout: json.stdout })).toBe(0);
    expect(JSON.parse(json.text())).toMatchObject({ facets: { config: { kind: 'incapable' } } });
  });

  it('refuses a root that is no folder, instead of a host that seems to have nothing', async () => {
    const { stdout } = sink();
    await expect(inspectCommand({ root: '/nonexistent', json: false, stdout })).rejects.toThrow('not a folder');
    await expect(inspectCommand({ root: `${ROOT}/proc/modules`, json: false, stdout })).rejects.toThrow('not a folder');
  });
});
