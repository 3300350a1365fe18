import type { CreatePlanBody, HostList, PlanTargetList, RolloutPlan } from '@modfleet/server/api-types';
import { path, type Api } from '../../api/api.ts';
import { fetchPages } from '../../api/pages.ts';
import type { Context } from '../../context.ts';
import { EXIT, type ExitCode } from '../../errors/exit-codes.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../../output/json-fields.ts';
import type { RolloutSettings } from '../options/settings.ts';
import { renderDryRun, type DryRun } from './dry-run.page.ts';
import { foreseenWaves } from './waves.ts';

const FIELDS = ['plan', 'rollout', 'hosts', 'refusing', 'waves'] as const;

/**
 * `modfleet rollouts create … --dry-run`: what would be asked for, in waves of so many hosts. Nothing is asked of any host, and nothing is created.
 *
 * @param how `again`: the command that begins it.
 */
export async function createDryRun(
  context: Context,
  plan: string | CreatePlanBody,
  settings: RolloutSettings,
  { again, json }: { readonly again: string; readonly json: JsonOption },
): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(json, FIELDS);
  const api = context.api();
  const foreseen = typeof plan === 'string' ? await ofPlan(api, plan, settings) : await ofHosts(api, plan, settings);
  const rollout = { ...(typeof plan === 'string' ? { plan } : {}), ...settings };
  if (fields) io.out.write(renderJson(pick({ plan, rollout, ...foreseen }, fields), io.out.isTty));
  else io.out.write(renderDryRun(plan, settings, foreseen, again, io));
  return EXIT.ok;
}

async function ofPlan(api: Api, id: string, settings: RolloutSettings): Promise<DryRun> {
  const plan = await api.get<RolloutPlan>(path`/rollout-plans/${id}`, {}, { plan: id });
  const out = plan.refusals.filter((refusal) => !refusal.retried);
  const refusing = out.reduce((sum, { hosts }) => sum + hosts, 0);
  const runnable = plan.counts.total - refusing;
  const outCodes = out.map(({ code }) => code);
  const canaries = settings.canary ? await kindsOf(api, id, outCodes) : 0;
  const waves = foreseenWaves(settings.waves?.map(String) ?? [], runnable, canaries);
  return { made: plan, hosts: plan.counts.total, refusing, waves };
}

/** Kinds of hosts in a plan that something is sent to: one of each goes first. */
async function kindsOf(api: Api, id: string, outCodes: readonly string[]): Promise<number> {
  const { items } = await fetchPages<PlanTargetList>(
    (page) => api.get(path`/rollout-plans/${id}/targets`, { ...page }, { plan: id }),
    { allPages: true },
  );
  const sent = items.filter(({ standing, code }) => standing !== 'refused' || !outCodes.includes(code));
  return new Set(sent.map(({ kernelRelease, hardware }) => `${kernelRelease}\0${hardware}`)).size;
}

async function ofHosts(api: Api, body: CreatePlanBody, settings: RolloutSettings): Promise<DryRun> {
  const hosts = body.hosts?.length ?? (await matched(api, body.selector));
  return { made: undefined, hosts, refusing: 0, waves: foreseenWaves(settings.waves?.map(String) ?? [], hosts, 0) };
}

async function matched(api: Api, selector: string | undefined): Promise<number> {
  return (await api.get<HostList>('/hosts', { selector, limit: 1 }, { selector })).matched;
}
