import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AccessService } from './access/access.service.ts';
import { AuditService } from './audit/audit.service.ts';
import { exportHook } from './audit/export.hook.ts';
import { refusalHook } from './audit/refusal.hook.ts';
import type { DestinationStream } from 'pino';
import { AppModule } from './app.module.ts';
import { isLoopback } from './config/listen-address.ts';
import type { ServerConfig } from './config/server-config.ts';
import { createFastifyAdapter, type HttpIdentity } from './http/fastify-app.ts';
import { accessHook, refuseUnruledRoute } from './http/access.hook.ts';
import { RateLimits } from './http/rate-limit.ts';
import { requestLogHook } from './http/request-log.hook.ts';
import { setSecurityHeaders } from './http/security-headers.ts';
import { createLogger, NestPinoLogger } from './logging/logger.ts';
import { Metrics } from './metrics/metrics.service.ts';
import { OpenApiHolder } from './openapi/openapi.controller.ts';
import { SignInService } from './sign-in/sessions/sign-in.service.ts';
import { openApiDocument } from './openapi/openapi-document.ts';

/**
 * The app, wired and initialised but not listening. Migrations must have been applied.
 *
 * @param options.preview makes no provider: enough for the OpenAPI document, needs no database.
 */
export async function createApp(
  config: ServerConfig,
  options: {
    readonly preview?: boolean;
    readonly identity?: HttpIdentity | null;
    /** Where log lines go; standard output when it is left out. */
    readonly logTo?: DestinationStream;
    /** Hears of every route that really exists. */
    readonly onRoute?: (route: { readonly method: string | string[]; readonly url: string }) => void;
  } = {},
): Promise<NestFastifyApplication> {
  const adapter = createFastifyAdapter(config, options.identity ?? null);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.of(config), adapter, {
    bodyParser: false,
    abortOnError: false,
    preview: options.preview ?? false,
    logger: new NestPinoLogger(createLogger(config.logLevel, options.logTo)),
  });
  app.setGlobalPrefix('api/v1', { exclude: ['healthz', 'readyz', 'metrics'] });
  if (options.preview === true) return app;

  const fastify = adapter.getInstance();
  const scrapeIsOpen = isLoopback(config.httpListen.host) && config.trustedProxy === null;
  fastify.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id).header('cache-control', 'no-store');
    setSecurityHeaders(reply, config.httpTls?.kind === 'files');
  });
  fastify.addHook(
    'onRequest',
    accessHook({
      access: app.get(AccessService),
      signIns: app.get(SignInService),
      limits: new RateLimits(config),
      publicUrl: config.publicUrl,
      scrapeIsOpen,
    }),
  );
  fastify.addHook('onRequest', exportHook(app.get(AuditService)));
  fastify.addHook('onSend', refusalHook(app.get(AuditService)));
  fastify.addHook('onRoute', refuseUnruledRoute);
  if (options.onRoute !== undefined) fastify.addHook('onRoute', options.onRoute);
  fastify.addHook('onResponse', requestLogHook(app.get(Metrics), new Logger('http')));
  await app.init();
  app.get(OpenApiHolder).document = openApiDocument(app);
  return app;
}
