// A quarterdeck with little memory: in a control group of its own, or in a container.

import { startContainer } from './container.mjs';
import { memoryGroup } from './group.mjs';
import { startQuarterdeck } from './quarterdeck.mjs';

/** Where the memory tests run: "docker", or else a control group of this machine. */
const isDocker = process.env.QUARTERDECK_TEST_IN === 'docker';

/** MiB there are. */
export const LIMIT_MIB = isDocker ? 256 : 160;

export async function startShortOfMemory() {
  const size = `${LIMIT_MIB}m`;
  if (isDocker) return startContainer(['--memory', size, '--memory-swap', size]);
  const group = await memoryGroup(LIMIT_MIB * 2 ** 20);
  const server = await startQuarterdeck([], group.join);
  const stop = async () => {
    await server.stop();
    await group.remove();
  };
  return { ...server, stop };
}
