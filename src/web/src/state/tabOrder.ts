/** Remembers the order of the tabs. */

import { remember, remembered } from './storage';

const KEY = 'tabOrder';

export function rememberOrder(order: readonly string[]): void {
  remember(KEY, order);
}

export function rememberedOrder(): readonly string[] {
  const order = remembered(KEY);
  return Array.isArray(order) ? order.filter((id) => typeof id === 'string') : [];
}
