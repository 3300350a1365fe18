import { type ActionRequest, type FindingCode, findingLayer, type Verdict } from '@modfleet/proto';
import type { ConfirmWindows } from '../confirm-windows.ts';

/** The verdict of an action that asks for a confirm window, with what stands against one on this host now. */
export async function withWindowObstacle(
  request: ActionRequest,
  verdict: Verdict,
  windows: ConfirmWindows | undefined,
): Promise<Verdict> {
  if (request.confirmWindowSeconds === 0 || !verdict.allowed || verdict.plan.length === 0) return verdict;
  const obstacle = windows === undefined ? NO_WINDOWS : await windows.obstacle();
  if (obstacle === undefined) return verdict;
  const { code, message } = obstacle;
  const finding = { layer: findingLayer(code), code, refuses: true, message, evidence: [] };
  return { ...verdict, allowed: false, decidedBy: code, findings: [finding, ...verdict.findings], plan: [] };
}

const NO_WINDOWS: { readonly code: FindingCode; readonly message: string } = {
  code: 'unsupported',
  message: 'this agent gives no confirm windows',
};
