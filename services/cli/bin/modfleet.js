#!/usr/bin/env node
import { runOnNewerNode } from '../../../scripts/lib/newer-node.mjs';

await runOnNewerNode('modfleet', import.meta.url);
