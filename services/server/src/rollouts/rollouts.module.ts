import { Module } from '@nestjs/common';
import { ActionsModule } from '../actions/actions.module.ts';
import { FreezeModule } from '../freeze/freeze.module.ts';
import { PlanRepository } from './plan/plan.repository.ts';
import { PlanSettler } from './plan/plan-settler.service.ts';
import { PlansController } from './plan/plans.controller.ts';
import { PlansService } from './plan/plans.service.ts';

/** One verb on one kmod over many hosts: what each would do. */
@Module({
  imports: [ActionsModule, FreezeModule],
  controllers: [PlansController],
  providers: [PlanRepository, PlanSettler, PlansService],
})
export class RolloutsModule {}
