import type { DeviceOffer, DevicePending, SignedIn } from '@modfleet/server/api-types';
import type { Context } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { ApiError } from '../errors/api-errors.ts';
import { clean } from '../output/clean.ts';
import type { Target } from './login.run.ts';

/** RFC 8628 section 3.5: what "slow_down" adds to the wait. */
const SLOWER_SECONDS = 5;

/** Signs in at the identity provider, in a browser on any machine (RFC 8628). @throws CliError */
export async function signInByDevice(context: Context, target: Target): Promise<SignedIn> {
  const { io } = context;
  const api = context.apiWith({ ...target, token: '', source: 'login' });
  const offer = await api.post<DeviceOffer>('/oidc/device', {});
  io.err.write(
    `Open ${clean(offer.verificationUri)} in a browser, on any machine, and type: ${clean(offer.userCode)}\n`,
  );
  if (offer.verificationUriComplete !== null) io.err.write(`Or at once: ${clean(offer.verificationUriComplete)}\n`);
  io.err.write('Only if you began this yourself. Waiting …\n');
  let interval = offer.intervalSeconds;
  for (let waited = 0; waited < offer.expiresInSeconds; waited += interval) {
    await waitFor(context, interval);
    try {
      const answer = await api.post<SignedIn | DevicePending>('/oidc/device/poll', { pending: offer.pending });
      if (!('state' in answer)) return answer;
      if (answer.slower) interval += SLOWER_SECONDS;
    } catch (error) {
      // The provider or the server is away for a moment: the code is good for as long as was said.
      if (!isPassing(error)) throw error;
    }
  }
  throw new CliError('nobody signed in at the identity provider in time', {
    exitCode: EXIT.timeout,
    hints: ['begin again: modfleet login --oidc'],
  });
}

async function waitFor({ io }: Context, seconds: number): Promise<void> {
  try {
    await io.wait(seconds * 1000);
  } catch (error) {
    if (io.signal.aborted) throw new CliError('interrupted', { exitCode: EXIT.interrupted, cause: error });
    throw error;
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof ApiError) return error.problem.status === 429 || error.problem.status === 503;
  return error instanceof CliError && (error.exitCode === EXIT.unreachable || error.exitCode === EXIT.timeout);
}
