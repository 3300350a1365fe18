import type { Api } from './api/api.ts';
import { HttpApi, type Fetch } from './api/http-api.ts';
import { loadSettings, type Settings } from './config/cli-config.ts';
import { refusePlainHttp } from './config/plain-http.ts';
import type { Environment } from './config/environment.ts';
import type { Io } from './io.ts';
import { visibleIo } from './output/visible-io.ts';

/** What a command gets: the world (`io`), the settings and the API, each read only when it is asked for. */
export interface Context {
  readonly io: Io;
  readonly environment: Environment;
  /** @throws CliError when nothing says where the server is, or a token would go there in the clear. */
  api(): Api;
  /** An API with other settings than the stored ones (`login` checks a token before it stores it). */
  apiWith(settings: Settings): Api;
}

/** How a fetch is made for given settings; tests give their own. */
export type FetchFactory = (settings: Settings) => Fetch;

export function createContext(world: Io, environment: Environment, fetchFor: FetchFactory): Context {
  const io = visibleIo(world);
  const apiWith = (settings: Settings) => {
    refusePlainHttp(settings.url, settings.insecureHttp);
    return new HttpApi(settings, io, fetchFor(settings));
  };
  return { io, environment, apiWith, api: () => apiWith(loadSettings(environment)) };
}
