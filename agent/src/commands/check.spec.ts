import { describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import { missingSockets } from '../privileges/missing-sockets.ts';
import { checkHost, type HostCheck } from './check.ts';
import { checkText } from './check-text.ts';

const ROOT = new URL('../../testdata/roots/container/root', import.meta.url).pathname;
const [ACT, EVIDENCE] = ['/run/modfleet/helper.sock', '/run/modfleet/evidence.sock'];

async function privileges(changed: Partial<HostCheck>): Promise<string> {
  const check = await checkHost({ mode: 'observe', root: ROOT, state_dir: '/nonexistent' });
  return /^PRIVILEGES\n(.*?)\n\n/ms.exec(checkText({ ...check, ...changed }))?.[1] ?? '';
}

describe('check', () => {
  it('without systemd says that the helper is a child', async () => {
    expect(await privileges({})).toContain('one process  the helper is a child of the agent');
  });

  it('under systemd without the sockets says which are missing, and what to run', async () => {
    expect(await privileges({ missingSockets: [ACT, EVIDENCE] })).toMatchInlineSnapshot(`
      "  not kept apart  systemd runs, but the helper's sockets are not there: /run/modfleet/helper.sock, /run/modfleet/evidence.sock
        run             systemctl daemon-reload
                        systemctl enable --now modfleet-helper.socket modfleet-evidence.socket
                        systemctl try-restart modfleet-agent"
    `);
  });

  it('with one socket missing tells what it saw, too', async () => {
    const text = await privileges({
      processes: [{ kind: 'helper', seen: undefined, problems: ['it cannot be called'] }],
      missingSockets: [ACT],
    });
    expect(text).toContain('it cannot be called');
    expect(text).toContain(ACT);
    expect(text).not.toContain('one process');
  });
});

describe('missing sockets', () => {
  it.each([
    ['none without systemd', {}, []],
    ['both before their units are loaded', { '/run/systemd/system/x': '' }, [ACT, EVIDENCE]],
    ['the one that is stopped', { '/run/systemd/system/x': '', [ACT]: '' }, [EVIDENCE]],
    [
      'none of those that may not be seen',
      { '/run/systemd/system/x': '', [ACT]: '', [EVIDENCE]: { errno: 'EACCES' } },
      [],
    ],
  ])('are %s', async (_what, nodes, missing) => {
    expect(await missingSockets(new MemoryHostFiles(nodes))).toEqual(missing);
  });
});
