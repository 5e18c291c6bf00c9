// Measures the page in Chromium against the binary that QUARTERDECK_BIN names: `scripts/bench switch typing pagememory`.

import { measureMemory } from './memory.mjs';
import { measureSwitches } from './switch.mjs';
import { measureTyping } from './typing.mjs';

const measures = { switch: measureSwitches, typing: measureTyping, pagememory: measureMemory };

for (const name of process.argv.slice(2)) await measures[name]();
