import { type ConfigObstacle, evidence, type RawFinding } from './facts.ts';

/** What is said of lines that stand in the way. Pure. */
export function obstacleFindings(obstacles: readonly ConfigObstacle[]): RawFinding[] {
  return obstacles.map((obstacle): RawFinding => {
    const shown = [evidence('config', obstacle.where)];
    switch (obstacle.kind) {
      case 'block':
        return {
          code: 'blocked',
          refuses: true,
          message: `${obstacle.kmod} is blocked by configuration: modprobe will not load it`,
          evidence: shown,
        };
      case 'kernel_blacklist':
        return {
          code: 'blocked',
          refuses: true,
          message: `the kernel refuses ${obstacle.kmod} whoever loads it (module_blacklist, EPERM)`,
          evidence: shown,
        };
      case 'soft_blacklist':
        return {
          code: 'blocked',
          refuses: false,
          message: `${obstacle.kmod} is blacklisted, which keeps its devices and aliases from loading it, but not a load by name`,
          evidence: shown,
        };
      case 'custom':
        return {
          code: 'custom_command',
          refuses: true,
          message: `modprobe.d has a command of its own for ${obstacle.removes === true ? 'removing' : 'loading'} ${obstacle.kmod}; it is not run unseen`,
          evidence: shown,
        };
      case 'unreadable':
        return {
          code: 'custom_command',
          refuses: true,
          message: `what modprobe's configuration says of ${obstacle.kmod} cannot be told: ${obstacle.where}`,
          evidence: [evidence('unseen', obstacle.where)],
        };
      case 'redirect':
        return {
          code: 'custom_command',
          refuses: true,
          message: `an alias line of modprobe.d takes the name ${obstacle.kmod} elsewhere: modprobe would load another kmod in its place`,
          evidence: shown,
        };
    }
  });
}
