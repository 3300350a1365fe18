import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files of the lab, two of which run at a time: the long ones first, and last two that end together. Vitest itself goes by file size, which says
 * nothing of how long an emulated host takes.
 */
const LAB_ORDER = ['full-hosts', 'faults', 'fast-host-6.1', 'rollouts', 'put-back', 'fast-host-6.12', 'oracle'];

const place = ({ moduleId }: TestSpecification): number =>
  LAB_ORDER.findIndex((name) => moduleId.endsWith(`/lab/${name}.e2e.ts`));

/** Vitest's order, but for the lab. */
export class LabOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}
