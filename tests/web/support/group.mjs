// A control group with little memory, for a quarterdeck that is to run short of it. Needs root.

import { existsSync } from 'node:fs';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { until } from './until.mjs';

const root = '/sys/fs/cgroup';

/** A group with so many bytes of memory and no swap. Whoever goes in is told by `join`; `remove` waits until all have left. */
export async function memoryGroup(bytes) {
  const name = `quarterdeck-web-${process.pid}`;
  const version1 = existsSync(`${root}/memory`);
  const directory = path.join(version1 ? `${root}/memory` : root, name);
  // Version 2 gives children only what their parent has switched on; it may be on already.
  if (!version1) await writeFile(`${root}/cgroup.subtree_control`, '+memory').catch(() => {});
  await mkdir(directory);
  await writeFile(path.join(directory, version1 ? 'memory.limit_in_bytes' : 'memory.max'), String(bytes));
  if (!version1) await writeFile(path.join(directory, 'memory.swap.max'), '0').catch(() => {});
  return {
    /** What a shell says to move itself into the group. */
    join: `echo $$ > ${directory}/cgroup.procs`,
    remove: () => until(`nobody to be left in ${directory}`, () => rmdir(directory).then(() => true, () => false)),
  };
}
