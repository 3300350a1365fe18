import { realFetch } from './api/real-fetch.ts';
import { runCommandLine } from './command-line/program.ts';
import { readEnvironment } from './config/environment.ts';
import { createContext } from './context.ts';
import { processIo } from './process-io.ts';

const environment = readEnvironment();
const context = createContext(processIo(environment.env), environment, realFetch);
process.exitCode = await runCommandLine(process.argv.slice(2), context);
