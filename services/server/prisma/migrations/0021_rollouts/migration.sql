-- Rollouts: a plan (every target's verdict, frozen), a rollout that was created from it, and what happened on each host. docs/adr/0041 has the reasons.

-- Actions that a rollout, or the asking for a plan, has made ------------------------------------------------------------------------------

-- `approved_plans`: digests of the plans that the host may carry out; empty: no such check. `undo`: what a restore does, in order. Both are part of what is signed.
ALTER TABLE action
  ADD COLUMN rollout_id     uuid,
  ADD COLUMN plan_id        uuid,
  ADD COLUMN approved_plans bytea[] NOT NULL DEFAULT '{}',
  ADD COLUMN undo           jsonb   NOT NULL DEFAULT '[]';

-- Plans -----------------------------------------------------------------------------------------------------------------------------------

-- `state`: asking until every host has answered or `answers_until` is over; then ready, and nothing of it changes any more. `hash`: SHA-256 of what would be done
-- and where, what an approval is bound to.
CREATE TABLE rollout_plan (
  id                  uuid        NOT NULL PRIMARY KEY,
  state               text        NOT NULL DEFAULT 'asking' CHECK (state IN ('asking', 'ready')),
  verb                smallint    NOT NULL,
  kmod                text        NOT NULL,
  parameters          text[]      NOT NULL DEFAULT '{}',
  confirm_window_s    integer     NOT NULL DEFAULT 0,
  overrides           text[]      NOT NULL DEFAULT '{}',
  selector            text,
  reason              text,
  requested_by        text        NOT NULL,
  created_at          timestamptz NOT NULL DEFAULT now(),
  answers_until       timestamptz NOT NULL,
  ready_at            timestamptz,
  expires_at          timestamptz NOT NULL,
  -- Hosts of which a fact in the selector is unknown: they are no targets. Which ones: to whoever may not read all of them only theirs are counted.
  unknown_hosts       uuid[]      NOT NULL DEFAULT '{}',
  hash                bytea,
  -- Once it is ready: classes of equal plans, each at the place of its number; refusals and what is unknown, by code (rollouts/plan/plan.model.ts).
  classes             jsonb       NOT NULL DEFAULT '[]',
  refusals            jsonb       NOT NULL DEFAULT '[]',
  unknowns            jsonb       NOT NULL DEFAULT '[]'
);
CREATE INDEX rollout_plan_asking_idx ON rollout_plan (answers_until) WHERE state = 'asking';
CREATE INDEX rollout_plan_created_at_idx ON rollout_plan (created_at DESC, id);

-- As in `action`, no foreign key leads to `host`: its rows are never removed, and each host of a plan would be locked for being looked up.
-- `standing` null: not answered yet. `class`: number of the class in the plan, of those that have steps to do or nothing to do.
CREATE TABLE rollout_plan_target (
  plan_id        uuid     NOT NULL REFERENCES rollout_plan (id) ON DELETE CASCADE,
  host_id        uuid     NOT NULL,
  action_id      uuid,
  standing       text     CHECK (standing IN ('would_change', 'unchanged', 'refused', 'unknown')),
  code           text     NOT NULL DEFAULT '',
  message        text     NOT NULL DEFAULT '',
  class          integer,
  kernel_release text     NOT NULL DEFAULT '',
  hardware       text     NOT NULL DEFAULT '',
  PRIMARY KEY (plan_id, host_id)
);
CREATE INDEX rollout_plan_target_host_id_idx ON rollout_plan_target (host_id);

-- Rollouts --------------------------------------------------------------------------------------------------------------------------------

-- `lease_*`: the one watcher that may change anything of it; `lease_term` grows with each owner, and every write carries it. `seal`: HMAC over what was asked for
-- and by whom, so that a row that was changed outside the server starts nothing.
CREATE TABLE rollout (
  id                uuid        NOT NULL PRIMARY KEY,
  plan_id           uuid        NOT NULL REFERENCES rollout_plan (id),
  parent_id         uuid        REFERENCES rollout (id),
  state             text        NOT NULL CHECK (state IN ('awaiting_approval', 'running', 'paused', 'aborting', 'rolling_back',
                                                          'succeeded', 'failed', 'aborted', 'rolled_back')),
  state_why         text        NOT NULL DEFAULT '',
  options           jsonb       NOT NULL,
  hash              bytea       NOT NULL,
  reason            text,
  requested_by      text        NOT NULL,
  requested_account uuid        NOT NULL,
  requested_token   uuid,
  requested_sign_in uuid,
  seal              bytea       NOT NULL,
  approved_by       text,
  approved_at       timestamptz,
  approval_seal     bytea,
  created_at        timestamptz NOT NULL DEFAULT now(),
  started_at        timestamptz,
  ended_at          timestamptz,
  deadline          timestamptz NOT NULL,
  wave              integer     NOT NULL DEFAULT 0,
  -- What else the machine remembers (rollouts/engine/rollout.model.ts): counts that were accepted by a resume, who asked for the roll back.
  memory            jsonb       NOT NULL DEFAULT '{}',
  version           bigint      NOT NULL DEFAULT 1,
  lease_owner       text,
  lease_term        bigint      NOT NULL DEFAULT 0,
  lease_expires_at  timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX rollout_created_at_idx ON rollout (created_at DESC, id);
CREATE INDEX rollout_open_idx ON rollout (id) WHERE ended_at IS NULL;
CREATE INDEX rollout_plan_id_idx ON rollout (plan_id);

-- Whether anything of a rollout may be sent. A dispatch holds its row; who closes it waits for the dispatches under way, and none begins after.
CREATE TABLE rollout_gate (
  rollout_id uuid    NOT NULL PRIMARY KEY REFERENCES rollout (id) ON DELETE CASCADE,
  open       boolean NOT NULL DEFAULT false
);

CREATE TABLE rollout_wave (
  rollout_id uuid    NOT NULL REFERENCES rollout (id) ON DELETE CASCADE,
  number     integer NOT NULL,
  size       integer NOT NULL,
  started_at timestamptz,
  done_at    timestamptz,
  bake_until timestamptz,
  ended_at   timestamptz,
  PRIMARY KEY (rollout_id, number)
);

-- `state`: pending (nothing sent; `wait` says what it waits for), dispatched (its action is accepted), ended (with an outcome). `changed`: the host was changed, as
-- far as it told. `health`: what was wrong with the host at the look after its wave. `undo_*`: the roll back of this host.
CREATE TABLE rollout_target (
  rollout_id       uuid     NOT NULL REFERENCES rollout (id) ON DELETE CASCADE,
  host_id          uuid     NOT NULL,
  position         integer  NOT NULL,
  wave             integer  NOT NULL,
  class            integer,
  late             boolean  NOT NULL DEFAULT false,
  state            text     NOT NULL CHECK (state IN ('pending', 'dispatched', 'ended')),
  wait             text     NOT NULL DEFAULT '' CHECK (wait IN ('', 'unreachable', 'in_use')),
  outcome          text,
  resolved_outcome text,
  code             text     NOT NULL DEFAULT '',
  message          text     NOT NULL DEFAULT '',
  attempts         smallint NOT NULL DEFAULT 0,
  action_id        uuid,
  not_before       timestamptz,
  changed          boolean,
  health           jsonb    NOT NULL DEFAULT '[]',
  health_seen      boolean  NOT NULL DEFAULT false,
  undo_state       text     NOT NULL DEFAULT '' CHECK (undo_state IN ('', 'pending', 'dispatched', 'ended')),
  undo_outcome     text,
  undo_message     text     NOT NULL DEFAULT '',
  undo_attempts    smallint NOT NULL DEFAULT 0,
  undo_action_id   uuid,
  started_at       timestamptz,
  ended_at         timestamptz,
  CHECK ((state = 'ended') = (outcome IS NOT NULL)),
  PRIMARY KEY (rollout_id, host_id)
);
CREATE UNIQUE INDEX rollout_target_position_key ON rollout_target (rollout_id, position);
CREATE INDEX rollout_target_host_id_idx ON rollout_target (host_id);
CREATE INDEX action_rollout_id_idx ON action (rollout_id) WHERE rollout_id IS NOT NULL;
CREATE INDEX action_plan_open_idx ON action (plan_id) WHERE plan_id IS NOT NULL AND state <> 'ended';

-- What people asked of a rollout: the watcher takes them in their order. `answer` null: not taken yet; '' done; else why not.
CREATE TABLE rollout_control (
  rollout_id        uuid        NOT NULL REFERENCES rollout (id) ON DELETE CASCADE,
  seq               bigint      GENERATED ALWAYS AS IDENTITY,
  kind              text        NOT NULL CHECK (kind IN ('pause', 'resume', 'promote', 'abort', 'roll_back', 'approve')),
  requested_by      text        NOT NULL,
  requested_account uuid        NOT NULL,
  requested_token   uuid,
  requested_sign_in uuid,
  seal              bytea       NOT NULL,
  reason            text,
  asked_at          timestamptz NOT NULL DEFAULT now(),
  answer            text,
  PRIMARY KEY (rollout_id, seq)
);

-- Its timeline, for people.
CREATE TABLE rollout_note (
  rollout_id uuid        NOT NULL REFERENCES rollout (id) ON DELETE CASCADE,
  seq        bigint      GENERATED ALWAYS AS IDENTITY,
  at         timestamptz NOT NULL,
  text       text        NOT NULL,
  PRIMARY KEY (rollout_id, seq)
);
