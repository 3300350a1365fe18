import { type AgentFile, agentPrograms, agentUnits, ENABLED_UNITS } from '../../scripts/lib/agent-files.ts';
import { LabError } from './lab-error.ts';

/** The agent as lab hosts run it: the files that `npm run bundle-agent` puts on any other host. */
export interface LabAgent {
  readonly files: ReadonlyMap<string, AgentFile>;
  /** Units by name, and the target that wants each. */
  readonly enabledUnits: Readonly<Record<string, string>>;
}

/** @throws LabError when the agent is not built. */
export async function bundleAgent(): Promise<LabAgent> {
  try {
    return { files: new Map([...(await agentPrograms()), ...agentUnits()]), enabledUnits: ENABLED_UNITS };
  } catch (error) {
    throw new LabError(`Lab hosts cannot run the agent. ${error instanceof Error ? error.message : String(error)}`);
  }
}
