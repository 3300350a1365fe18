import { bundleAgent as bundle } from '../../scripts/lib/agent-bundle.ts';
import { LabError } from './lab-error.ts';

/** The agent as lab hosts run it: the file that `npm run bundle-agent` puts on any other host. @throws LabError when it is not built. */
export async function bundleAgent(): Promise<Buffer> {
  try {
    return await bundle();
  } catch (error) {
    throw new LabError(`Lab hosts cannot run the agent. ${error instanceof Error ? error.message : String(error)}`);
  }
}
