/** What the rest of the tree uses of the lab: tests/e2e and `npm start -- --lab N`. */
export { type CommandResult } from './host/control-channel.ts';
export { bootHost, type BootOptions } from './host/boot-host.ts';
export { LabHost, type PowerOptions, type RunOptions } from './host/lab-host.ts';
export { labImage, type LabImage } from './image/prepare.ts';
export { LabError } from './lab-error.ts';
export { checkPrerequisites, type Prerequisites } from './prerequisites.ts';
export {
  HOST_KINDS,
  HOST_NETWORKS,
  type HostKind,
  type HostNetwork,
  KERNEL_SERIES,
  type KernelSeries,
  type Progress,
  ROOT_DISKS,
  type RootDisk,
} from './types.ts';
