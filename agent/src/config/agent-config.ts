import { CONFIRM_WINDOW_MAX_S, CONFIRM_WINDOW_MIN_S } from '@modfleet/proto';
import * as z from 'zod';

/** Where the agent's settings are looked for. */
export const DEFAULT_CONFIG_PATH = '/etc/modfleet/agent.yaml';

/** Where a server listens for agents that want to join, when only a host is given. */
const DEFAULT_IDENTITY_PORT = 7782;

const GLOB = /^[A-Za-z0-9_*?-]{1,64}$/;

/** A kmod name or a glob (`*`, `?`) over kmod names, with `-` folded to `_`. */
const kmodGlob = z
  .string()
  .regex(GLOB, 'is no kmod name or glob: letters, digits, "_", "-", "*" and "?" only')
  .transform((glob) => glob.replaceAll('-', '_'));

const absolutePath = z.string().startsWith('/', 'must be an absolute path');

/** Where the server listens. */
export interface ServerAddress {
  /** Name or IP address, without brackets. */
  readonly host: string;
  /** TCP port of the identity listener. */
  readonly port: number;
}

/** `host:port`, `[v6]:port`, `host`, or `[v6]`; undefined when it is none of these. */
export function parseServerAddress(text: string): ServerAddress | undefined {
  const match =
    /^(?:\[(?<v6>[0-9a-fA-F:.]+(?:%[A-Za-z0-9_.-]+)?)\]|(?<name>[A-Za-z0-9._-]+))(?::(?<port>\d{1,5}))?$/.exec(text);
  const host = match?.groups?.['v6'] ?? match?.groups?.['name'];
  if (host === undefined) return undefined;
  const port = match?.groups?.['port'] === undefined ? DEFAULT_IDENTITY_PORT : Number(match.groups['port']);
  return port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

const serverAddress = z.string().transform((text, context) => {
  const address = parseServerAddress(text);
  if (address !== undefined) return address;
  context.addIssue({
    code: 'custom',
    message: `${JSON.stringify(text)} is no address: write host:port, for example modfleet.example.com:7782`,
  });
  return z.NEVER;
});

/** What /etc/modfleet/agent.yaml may say. Unknown keys are errors: a misspelt `protected` would protect nothing. */
export const agentConfigSchema = z.strictObject({
  server: serverAddress
    .optional()
    .describe(
      'Address of the server’s identity listener, host:port (default port 7782). May be left out once the host has joined.',
    ),
  mode: z
    .enum(['observe', 'act'])
    .default('observe')
    .describe(
      'observe: report only, refuse every change. act: also load and unload kmods when the server asks. Default: observe.',
    ),
  state_dir: absolutePath
    .default('/var/lib/modfleet')
    .describe(
      'Folder of key, certificate, journal (0700, made when absent). Lives on a disk that survives a reboot. Default: /var/lib/modfleet.',
    ),
  join_file: absolutePath
    .default('/etc/modfleet/join')
    .describe(
      'File with the join string from "modfleet join-tokens create". Used once, then erased. Default: /etc/modfleet/join.',
    ),
  policy: z
    .strictObject({
      allow: z.array(kmodGlob).default([]).describe('Kmods (names or globs) that may be acted on. Empty: all.'),
      deny: z.array(kmodGlob).default([]).describe('Kmods that may not be acted on; stronger than allow.'),
      protected: z
        .array(kmodGlob)
        .default([])
        .describe('Kmods that are never unloaded, beside those that the host finds itself.'),
      window: z
        .array(kmodGlob)
        .default([])
        .describe('Kmods (names or globs) that are changed only inside a confirm window, whatever they carry.'),
      window_limit: z
        .int()
        .min(CONFIRM_WINDOW_MIN_S)
        .max(CONFIRM_WINDOW_MAX_S)
        .default(CONFIRM_WINDOW_MAX_S)
        .describe('Longest confirm window in seconds that this host opens: so long it may be cut off. Default: 600.'),
    })
    .prefault({})
    .describe('The host’s last word: the server sees it and cannot change it.'),
  reboot_to_recover: z
    .boolean()
    .default(false)
    .describe(
      'true: reboot when a confirm window was reverted and the server does not answer for as long again. Default: false.',
    ),
  log_level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('How much is logged on stderr, as JSON lines. Default: info.'),
  root: absolutePath
    .default('/')
    .describe('Host files are read below this folder. Only for tests on captured trees. Default: /.'),
});

/** The agent's settings, checked and complete. */
export type AgentConfig = z.output<typeof agentConfigSchema>;
