import { Module } from '@nestjs/common';
import { AuditController } from './audit.controller.ts';
import { AuditLog } from './audit-log.service.ts';

/** The audit log over HTTP. */
@Module({ controllers: [AuditController], providers: [AuditLog] })
export class AuditHttpModule {}
