/**
 * Types of the HTTP API, for its clients: what a caller sends (`…Body`, `…Query`: input of the schema) and what it gets. Types only; nothing of the server is
 * imported at run time.
 */
import type { z } from 'zod';
import type * as accounts from './accounts/accounts.schema.ts';
import type * as actions from './actions/actions.schema.ts';
import type * as audit from './audit/audit.schema.ts';
import type { ERROR_TABLE, ErrorCode } from './errors/error-table.ts';
import type * as drivers from './drivers/drivers.schema.ts';
import type * as freeze from './freeze/freeze.schema.ts';
import type * as health from './health/health.schema.ts';
import type * as events from './events/events.schema.ts';
import type * as history from './history/history.schema.ts';
import type * as hostDiff from './host-diff/host-diff.schema.ts';
import type * as hostAccess from './hosts/host-access.schema.ts';
import type * as hosts from './hosts/hosts.schema.ts';
import type * as common from './http/common.schema.ts';
import type * as joinTokens from './join-tokens/join-tokens.schema.ts';
import type * as kmods from './kmods/kmods.schema.ts';
import type * as queries from './queries/queries.schema.ts';
import type * as plans from './rollouts/plan/plan.schema.ts';
import type * as rollouts from './rollouts/rollouts.schema.ts';
import type * as skew from './skew/skew.schema.ts';
import type * as signIn from './sign-in/sign-in.schema.ts';

export type Problem = z.output<typeof common.problemSchema>;
export type Freeze = z.output<typeof common.freezeSchema>;
export type Alarm = z.output<typeof common.alarmSchema>;
export type Coverage = z.output<typeof common.coverageSchema>;
export type CoverageWord = z.output<typeof common.coverageWord>;
export type FacetWord = z.output<typeof common.facetWord>;
export type PresenceWord = z.output<typeof common.presenceWord>;
export type HostRef = z.output<typeof common.hostRef>;
export type KmodBlock = z.output<typeof common.blockSchema>;
export type BlockRungWord = z.output<typeof common.rungWord>;
export type BlockedWord = z.output<typeof common.blockedWord>;

export type HostSummary = z.output<typeof hosts.hostSummarySchema>;
export type HostListQuery = z.input<typeof hosts.hostListQuery>;
export type HostList = z.output<typeof hosts.hostListSchema>;
export type Host = z.output<typeof hosts.hostSchema>;
export type HostFacet = z.output<typeof hosts.hostFacetSchema>;
export type HostKmod = z.output<typeof hosts.hostKmodSchema>;
export type HostKmodsQuery = z.input<typeof hosts.hostKmodsQuery>;
export type HostKmodList = z.output<typeof hosts.hostKmodsSchema>;
export type Device = z.output<typeof hosts.deviceSchema>;
export type HostDevicesQuery = z.input<typeof hosts.hostDevicesQuery>;
export type HostDeviceList = z.output<typeof hosts.hostDevicesSchema>;
export type LabelHostsBody = z.input<typeof hosts.labelHostsBody>;
export type LabelResult = z.output<typeof hosts.labelHostsSchema>;
export type RetireHostBody = z.input<typeof hosts.retireHostBody>;
export type RetiredHost = z.output<typeof hosts.retireHostSchema>;
export type RevokeHostBody = z.input<typeof hostAccess.revokeHostBody>;
export type RevokedHost = z.output<typeof hostAccess.revokeHostSchema>;
export type ReleaseHostBody = z.input<typeof hostAccess.releaseHostBody>;
export type ReleasedHost = z.output<typeof hostAccess.releaseHostSchema>;
export type Sighting = z.output<typeof hostAccess.sightingSchema>;

export type HostPastQuery = z.input<typeof history.hostPastQuery>;
export type HostPast = z.output<typeof history.hostPastSchema>;
export type PastKmod = z.output<typeof history.pastKmodSchema>;
export type KmodPastQuery = z.input<typeof history.kmodPastQuery>;
export type KmodPast = z.output<typeof history.kmodPastSchema>;
export type KmodPastHost = z.output<typeof history.kmodPastHostSchema>;

export type HostDiffQuery = z.input<typeof hostDiff.hostDiffQuery>;
export type HostDiff = z.output<typeof hostDiff.hostDiffSchema>;

export type KmodCounts = z.output<typeof kmods.kmodCountsSchema>;
export type KmodListQuery = z.input<typeof kmods.kmodListQuery>;
export type KmodListItem = z.output<typeof kmods.kmodListItemSchema>;
export type KmodList = z.output<typeof kmods.kmodListSchema>;
export type KmodQuery = z.input<typeof kmods.kmodQuery>;
export type Kmod = z.output<typeof kmods.kmodSchema>;
export type KmodHostsQuery = z.input<typeof kmods.kmodHostsQuery>;
export type KmodHost = z.output<typeof kmods.kmodHostSchema>;
export type KmodHostList = z.output<typeof kmods.kmodHostsSchema>;

export type DriverHostsQuery = z.input<typeof drivers.driverHostsQuery>;
export type DriverHost = z.output<typeof drivers.driverHostSchema>;
export type DriverHostList = z.output<typeof drivers.driverHostsSchema>;

export type Verb = z.output<typeof actions.verbWord>;
export type ActionState = z.output<typeof actions.actionStateWord>;
export type OutcomeWord = z.output<typeof actions.outcomeWord>;
export type CreateActionBody = z.input<typeof actions.createActionBody>;
export type Action = z.output<typeof actions.actionSchema>;
export type ActionItem = z.output<typeof actions.actionItemSchema>;
export type ActionListQuery = z.input<typeof actions.actionListQuery>;
export type ActionList = z.output<typeof actions.actionListSchema>;
export type CancelResult = z.output<typeof actions.cancelActionSchema>;
export type Verdict = z.output<typeof actions.verdictSchema>;
export type Finding = z.output<typeof actions.findingSchema>;
export type PlanStep = z.output<typeof actions.planStepSchema>;
export type ReloadPath = z.output<typeof actions.reloadPathSchema>;
export type ActionResult = z.output<typeof actions.actionResultSchema>;

export type QueryBody = z.input<typeof queries.queryBody>;
export type QueryStart = z.output<typeof queries.queryStartSchema>;
export type QueryAnswer = z.output<typeof queries.queryAnswerSchema>;
export type KmodAnswer = z.output<typeof queries.kmodAnswerSchema>;
export type QueryEnd = z.output<typeof queries.queryEndSchema>;
export type QueryLine = z.output<typeof queries.queryLineSchema>;

export type FreezeBody = z.input<typeof freeze.freezeBody>;
export type FreezeAnswer = z.output<typeof freeze.freezeAnswerSchema>;

export type CreateJoinTokenBody = z.input<typeof joinTokens.createJoinTokenBody>;
export type JoinToken = z.output<typeof joinTokens.joinTokenSchema>;
export type JoinTokenItem = z.output<typeof joinTokens.joinTokenItemSchema>;
export type CreatedJoinToken = z.output<typeof joinTokens.createdJoinTokenSchema>;
export type JoinTokenList = z.output<typeof joinTokens.joinTokenListSchema>;

export type Account = z.output<typeof accounts.accountSchema>;
export type DisabledAccount = z.output<typeof accounts.disabledAccountSchema>;
export type AccountItem = z.output<typeof accounts.accountItemSchema>;
export type AccountList = z.output<typeof accounts.accountListSchema>;
export type CreateAccountBody = z.input<typeof accounts.createAccountBody>;
export type RoleWord = z.output<typeof accounts.roleWord>;
export type Grant = z.output<typeof accounts.grantSchema>;
export type GrantItem = z.output<typeof accounts.grantItemSchema>;
export type GrantList = z.output<typeof accounts.grantListSchema>;
export type GrantListQuery = z.input<typeof accounts.grantListQuery>;
export type AddGrantBody = z.input<typeof accounts.addGrantBody>;
export type ApiToken = z.output<typeof accounts.tokenSchema>;
export type ApiTokenItem = z.output<typeof accounts.tokenItemSchema>;
export type ApiTokenList = z.output<typeof accounts.tokenListSchema>;
export type ApiTokenListQuery = z.input<typeof accounts.tokenListQuery>;
export type CreateTokenBody = z.input<typeof accounts.createTokenBody>;
export type CreatedToken = z.output<typeof accounts.createdTokenSchema>;
export type Me = z.output<typeof accounts.meSchema>;

export type AuditListQuery = z.input<typeof audit.auditListQuery>;
export type AuditRow = z.output<typeof audit.auditRowSchema>;
export type AuditAlarm = z.output<typeof audit.auditAlarmSchema>;
export type AuditList = z.output<typeof audit.auditListSchema>;
export type AuditProgress = z.output<typeof audit.auditProgressSchema>;
export type AuditProblem = z.output<typeof audit.auditProblemSchema>;
export type AuditReport = z.output<typeof audit.auditReportSchema>;

export type HostEventsQuery = z.input<typeof events.hostEventsQuery>;
export type HostEventList = z.output<typeof events.hostEventsSchema>;
export type EventListQuery = z.input<typeof events.eventListQuery>;
export type EventKindWord = z.output<typeof events.eventKindWordSchema>;
export type KmodEvent = z.output<typeof events.kmodEventSchema>;
export type EventList = z.output<typeof events.eventListSchema>;
export type EventHostsQuery = z.input<typeof events.eventHostsQuery>;
export type ChangedHost = z.output<typeof events.changedHostSchema>;
export type ChangedHostList = z.output<typeof events.eventHostsSchema>;
export type EventWatchQuery = z.input<typeof events.eventWatchQuery>;
export type EventWatchLine = z.output<typeof events.eventWatchLineSchema>;

export type KmodSkewListQuery = z.input<typeof skew.skewListQuery>;
export type KmodSkewItem = z.output<typeof skew.skewItemSchema>;
export type KmodSkewList = z.output<typeof skew.skewListSchema>;
export type KmodSkewQuery = z.input<typeof skew.skewQuery>;
export type KmodSkewVariant = z.output<typeof skew.skewVariantSchema>;
export type KmodSkew = z.output<typeof skew.skewSchema>;

export type LoginBody = z.input<typeof signIn.loginBody>;
export type SignedIn = z.output<typeof signIn.signedInSchema>;
export type LoggedOut = z.output<typeof signIn.logoutSchema>;
export type ChangePasswordBody = z.input<typeof signIn.changePasswordBody>;
export type ChangedPassword = z.output<typeof signIn.changedPasswordSchema>;
export type DeviceOffer = z.output<typeof signIn.deviceOfferSchema>;
export type DevicePollBody = z.input<typeof signIn.devicePollBody>;
export type DevicePending = z.output<typeof signIn.devicePendingSchema>;
export type SignInItem = z.output<typeof signIn.signInItemSchema>;
export type SignInListQuery = z.input<typeof signIn.signInListQuery>;
export type SignInList = z.output<typeof signIn.signInListSchema>;
export type EndTokensBody = z.input<typeof signIn.endTokensBody>;
export type EndedSignIn = z.output<typeof signIn.endedSignInSchema>;
export type OneTimePassword = z.output<typeof signIn.oneTimePasswordSchema>;
export type LinkIdentityBody = z.input<typeof signIn.linkIdentityBody>;
export type LinkedIdentity = z.output<typeof signIn.linkedIdentitySchema>;
export type RemovedPassword = z.output<typeof signIn.removedPasswordSchema>;
export type UnlinkIdentityBody = z.input<typeof signIn.unlinkIdentityBody>;
export type UnlinkedIdentity = z.output<typeof signIn.unlinkedIdentitySchema>;
export type WaysLeft = z.output<typeof signIn.waysLeftSchema>;

export type Readiness = z.output<typeof health.readinessSchema>;

export type { ErrorCode };
/** Exit code of the CLI by error code: the CLI's own table is checked against this by the compiler. */
export type ErrorExitCodes = { [C in ErrorCode]: (typeof ERROR_TABLE)[C]['exit'] };

export type RolloutVerbWord = z.output<typeof plans.rolloutVerb>;
export type PlanStandingWord = z.output<typeof plans.standingWord>;
export type CreatePlanBody = z.input<typeof plans.createPlanBody>;
export type RolloutPlan = z.output<typeof plans.planSchema>;
export type RolloutPlanList = z.output<typeof plans.planListSchema>;
export type PlanClass = z.output<typeof plans.planClassSchema>;
export type PlanRefusal = z.output<typeof plans.planRefusalSchema>;
export type PlanTargetQuery = z.input<typeof plans.planTargetQuery>;
export type PlanTarget = z.output<typeof plans.planTargetSchema>;
export type PlanTargetList = z.output<typeof plans.planTargetListSchema>;

export type RolloutStateWord = z.output<typeof rollouts.rolloutStateWord>;
export type RolloutFailureKind = z.output<typeof rollouts.failureKind>;
export type RolloutTargetStateWord = z.output<typeof rollouts.targetStateWord>;
export type RolloutTargetOutcomeWord = z.output<typeof rollouts.targetOutcomeWord>;
export type CreateRolloutBody = z.input<typeof rollouts.createRolloutBody>;
export type RolloutItem = z.output<typeof rollouts.rolloutItemSchema>;
export type Rollout = z.output<typeof rollouts.rolloutSchema>;
export type RolloutWave = z.output<typeof rollouts.rolloutWaveSchema>;
export type RolloutCounts = z.output<typeof rollouts.rolloutCountsSchema>;
export type RolloutListQuery = z.input<typeof rollouts.rolloutListQuery>;
export type RolloutList = z.output<typeof rollouts.rolloutListSchema>;
export type RolloutTargetQuery = z.input<typeof rollouts.rolloutTargetQuery>;
export type RolloutTarget = z.output<typeof rollouts.rolloutTargetSchema>;
export type RolloutTargetList = z.output<typeof rollouts.rolloutTargetListSchema>;
export type RolloutNoteList = z.output<typeof rollouts.rolloutNoteListSchema>;
export type ControlRolloutBody = z.input<typeof rollouts.controlRolloutBody>;
export type ApproveRolloutBody = z.input<typeof rollouts.approveRolloutBody>;
export type RetryRolloutBody = z.input<typeof rollouts.retryRolloutBody>;
export type ControlledRollout = z.output<typeof rollouts.controlRolloutSchema>;
