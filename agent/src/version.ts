/** This agent's version, as it reports it; equal to package.json (a test compares them). A constant, so that the bundled single file has it. */
export const AGENT_VERSION = '0.1.0';
