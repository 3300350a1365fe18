import { Body, Controller, Get, HttpCode, Inject, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { AppError } from '../../errors/app-error.ts';
import { ERROR_TABLE } from '../../errors/error-table.ts';
import { ApiAnswer, ApiProblems, ApiProblemsOrPage, BODY_PROBLEMS } from '../../openapi/api-decorators.ts';
import { cookieOf, OIDC_COOKIE, setCookie, SIGN_IN_COOKIE } from '../sessions/cookies.ts';
import { type SignedIn, signedIn, visitorOf } from '../sign-in-answer.ts';
import {
  deviceOfferSchema,
  devicePendingSchema,
  devicePollBody,
  emptyBody,
  oidcStartQuery,
  signedInSchema,
} from '../sign-in.schema.ts';
import { OidcLoginService } from './oidc-login.service.ts';
import { PAGE_HEADERS, renderSignInPage } from './sign-in-page.ts';

/** Signing in through the identity provider. */
@ApiTags('sign-in')
@Controller('oidc')
export class OidcController {
  readonly #login: OidcLoginService;

  constructor(@Inject(OidcLoginService) login: OidcLoginService) {
    this.#login = login;
  }

  @Get('start')
  @ApiOperation({ summary: 'Send a browser to the identity provider' })
  @ApiResponse({ status: 302, description: 'To the provider; a cookie keeps what must come back.' })
  @ApiProblemsOrPage('oidc_not_set_up', 'oidc_unavailable', 'query_invalid')
  async start(
    @Query({ schema: oidcStartQuery }) query: z.output<typeof oidcStartQuery>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await orPage(request, reply, async () => {
      const { url, kept, seconds } = await this.#login.start(query.returnTo ?? '/');
      await reply.header('set-cookie', setCookie(OIDC_COOKIE, kept, seconds, 'Lax')).redirect(url, 302);
    });
  }

  @Get('callback')
  @ApiOperation({
    summary: 'Where the identity provider sends the browser back to',
    description: 'Sets the cookie of the sign-in, and goes on to where the browser wanted to go.',
  })
  @ApiResponse({
    status: 200,
    description: 'A page that goes on by itself.',
    content: { 'text/html': { schema: { type: 'string' } } },
  })
  @ApiProblemsOrPage('oidc_refused', 'oidc_not_set_up', 'oidc_unavailable', 'account_disabled')
  async callback(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await orPage(request, reply, async () => {
      const kept = cookieOf(request.headers.cookie, OIDC_COOKIE);
      const spent = setCookie(OIDC_COOKIE, '', 0, 'Lax');
      // Whatever comes of it: what was kept is used once.
      void reply.header('set-cookie', spent);
      const { caller, signIn, returnTo } = await this.#login.finish(
        request.url.split('?', 2)[1] ?? '',
        kept,
        visitorOf(request),
      );
      const seconds = (signIn.expiresAt.getTime() - Date.now()) / 1000;
      await reply
        .removeHeader('set-cookie')
        .header('set-cookie', [spent, setCookie(SIGN_IN_COOKIE, signIn.secret, seconds, 'Strict')])
        .headers(PAGE_HEADERS)
        .send(
          renderSignInPage({
            title: 'Signed in',
            text: `You are signed in as ${caller.name}.`,
            link: { href: returnTo, text: 'Go on' },
            goesOn: true,
          }),
        );
    });
  }

  @Post('device')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Begin a sign-in of a command line (RFC 8628)',
    description:
      'The person opens the address in a browser on any machine, signs in at the provider and types the code.',
  })
  @ApiAnswer(200, deviceOfferSchema, 'What to show to the person.')
  @ApiProblems('oidc_not_set_up', 'oidc_unavailable', ...BODY_PROBLEMS)
  async device(@Body({ schema: emptyBody }) _body: Record<string, never>): Promise<z.output<typeof deviceOfferSchema>> {
    const { verificationUriComplete, ...offer } = await this.#login.startDevice();
    return { ...offer, verificationUriComplete: verificationUriComplete ?? null };
  }

  @Post('device/poll')
  @HttpCode(200)
  @ApiOperation({ summary: 'Ask whether the person has agreed at the provider' })
  @ApiAnswer(200, signedInSchema, 'Signed in; the secret is in the answer.')
  @ApiAnswer(202, devicePendingSchema, 'Not yet.')
  @ApiProblems('oidc_refused', 'oidc_not_set_up', 'oidc_unavailable', 'account_disabled', ...BODY_PROBLEMS)
  async poll(
    @Body({ schema: devicePollBody }) body: z.output<typeof devicePollBody>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SignedIn | z.output<typeof devicePendingSchema>> {
    const answer = await this.#login.pollDevice(body.pending, visitorOf(request));
    if ('signIn' in answer) return signedIn(answer, 'bearer', reply);
    void reply.status(202);
    return { state: 'pending', slower: answer.slower };
  }
}

/** A person in front of a browser gets a page where a program gets a problem document. */
async function orPage(request: FastifyRequest, reply: FastifyReply, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof AppError) || request.headers.accept?.includes('text/html') !== true) throw error;
    const row = ERROR_TABLE[error.code];
    await reply
      .status(row.http)
      .headers(PAGE_HEADERS)
      .send(
        renderSignInPage({
          title: row.title,
          text: `${error.message} (request ${request.id})`,
          link: { href: '/api/v1/oidc/start', text: 'Begin again' },
          goesOn: false,
        }),
      );
  }
}
