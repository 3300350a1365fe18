const SELECTORS = `Selectors choose hosts: modfleet kmods hosts e1000e -l 'env=prod,@kernel~6.1.*'

All parts must hold; they are separated by commas.

Labels, as in Kubernetes (set them with: modfleet hosts label HOST env=prod):
  env=prod            the label is so
  env!=prod           it is not so, or not there
  env in (prod,dev)   one of these
  env notin (dev)     none of these, or not there
  env                 the label is there
  !env                it is not

Facts, with @:
  @kernel~6.1.*       "~" is a glob over the kernel release
  @kernel<6.1.0-51    "<" and ">" compare versions as the host's packages do
  @loaded=floppy      this kmod is loaded
  @driver=e1000e      a device is bound to this driver
  @os=debian  @arch=x86_64  @mode=act  @name~web-*

A fact that is not fresh is unknown, and matches neither "=" nor "!=". Answers count such hosts apart; --include-unknown adds them.
An empty selector is an error: for all hosts leave -l out, or say --all where a command wants it.
`;

const EXIT_CODES = `Exit codes are fixed; scripts can rely on them.

  0    done, or answered
  1    the answer is no: an action ended without success, or --exit-status found nothing; a rollout that is not as asked
  2    bad input: nothing was sent, or the server refused to read it
  3    no such host, kmod, driver, action, plan, rollout or token
  4    not signed in, no token, or one that is not accepted
  5    the server or its database cannot be reached
  6    a conflict: several hosts of that name, the fleet is frozen, a retired host, ...; a rollout that waits for a person
  7    no answer in time; a rollout that is still under way
  8    with --exit-status: the answer is not complete, some hosts are unknown
  130  interrupted by Ctrl-C (an action or rollout that was accepted goes on)

An action ends with 0 when its outcome is succeeded or unchanged, else with 1. A dry run ends with 0 when the action would be allowed.
A rollout is followed with "rollouts watch" or "rollouts create --watch". With --exit-status that ends with 0 only when it succeeded whole: every host as asked,
and healthy after its wave; with 1 when it failed, was aborted or rolled back. When --timeout is over first: 6 while it is paused or awaits approval, 7 while it
is under way.
Data goes to stdout, talk to stderr. To a pipe, tables are printed with tabs, without a head and uncut; --json FIELDS prints JSON.
`;

const ENVIRONMENT = `Where the server is and which token is used, in this order:

  MODFLEET_URL          address of the API, for example https://modfleet.example.com
  MODFLEET_TOKEN        the token itself
  MODFLEET_TOKEN_FILE   or a file that holds it
  MODFLEET_CA_FILE      CA that signs the server's certificate (PEM), where the system does not know it
  MODFLEET_INSECURE_HTTP   1: tokens may go over http to another machine, where everybody on the way can read them

  ~/.config/modfleet/config.yaml   written by "modfleet login" (below XDG_CONFIG_HOME where that is set)
  .modfleet/cli.yaml               in the clone that the command runs from; written by "npm start"

  Keys of both files: url, token or token_file, ca_file, insecure_http; after signing in as a person also user, sign_in, expires_at.

A stored token is sent only to the server that it was stored for: with another MODFLEET_URL give the token too.

  NO_COLOR              any value: no colours (there are none in pipes anyway)
`;

/** Pages of `modfleet help TOPIC`. */
export const TOPICS: Readonly<Record<string, string>> = {
  selectors: SELECTORS,
  'exit-codes': EXIT_CODES,
  environment: ENVIRONMENT,
};
