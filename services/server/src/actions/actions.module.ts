import { Module } from '@nestjs/common';
import { SignInModule } from '../sign-in/sign-in.module.ts';
import { FreezeModule } from '../freeze/freeze.module.ts';
import { SigningModule } from '../signing/signing.module.ts';
import { ActionBatch } from './action-batch.service.ts';
import { ActionChanges } from './action-changes.service.ts';
import { ActionDispatcher } from './action-dispatcher.service.ts';
import { ActionIntake } from './action-intake.service.ts';
import { ActionMetrics } from './action-metrics.service.ts';
import { ActionRepository } from './action.repository.ts';
import { DispatchRights } from './dispatch-rights.service.ts';
import { ActionSweeper } from './action-sweeper.service.ts';
import { ActionWatch } from './action-watch.service.ts';
import { ActionsController } from './actions.controller.ts';
import { ActionsService } from './actions.service.ts';
import { ConfirmService } from './confirm.service.ts';

/** Actions: accepted, sent, followed, ended. */
@Module({
  imports: [FreezeModule, SignInModule, SigningModule],
  controllers: [ActionsController],
  providers: [
    ActionBatch,
    ActionMetrics,
    ActionRepository,
    ActionChanges,
    ActionDispatcher,
    ActionIntake,
    ActionSweeper,
    ActionsService,
    ActionWatch,
    ConfirmService,
    DispatchRights,
  ],
  exports: [ActionBatch, ActionChanges, ActionsService],
})
export class ActionsModule {}
