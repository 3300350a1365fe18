#!/usr/bin/env node
import { runOnNewerNode } from '../../../scripts/lib/newer-node.mjs';

await runOnNewerNode('modfleet-server', import.meta.url);
