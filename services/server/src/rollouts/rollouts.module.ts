import { Module } from '@nestjs/common';
import { ActionsModule } from '../actions/actions.module.ts';
import { FreezeModule } from '../freeze/freeze.module.ts';
import { QueriesModule } from '../queries/queries.module.ts';
import { HealthLook } from './engine/health-look.service.ts';
import { RolloutManager } from './engine/rollout-manager.service.ts';
import { RolloutStore } from './engine/rollout-store.ts';
import { PlanRepository } from './plan/plan.repository.ts';
import { PlanSettler } from './plan/plan-settler.service.ts';
import { PlansController } from './plan/plans.controller.ts';
import { PlansService } from './plan/plans.service.ts';
import { RolloutChanges } from './rollout-changes.service.ts';
import { RolloutControlsController } from './rollout-controls.controller.ts';
import { RolloutReader } from './rollout-reader.service.ts';
import { RolloutWatch } from './rollout-watch.service.ts';
import { RolloutsController } from './rollouts.controller.ts';
import { RolloutsService } from './rollouts.service.ts';

/** One verb on one kmod over many hosts: what each would do (plan/), and the doing of it, in waves (engine/). */
@Module({
  imports: [ActionsModule, FreezeModule, QueriesModule],
  controllers: [PlansController, RolloutsController, RolloutControlsController],
  providers: [
    PlanRepository,
    PlanSettler,
    PlansService,
    RolloutChanges,
    RolloutStore,
    HealthLook,
    RolloutManager,
    RolloutReader,
    RolloutWatch,
    RolloutsService,
  ],
})
export class RolloutsModule {}
