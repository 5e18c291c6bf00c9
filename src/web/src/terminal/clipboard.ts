/**
 * Copies a terminal's selection. The clipboard API exists only on https and
 * loopback; elsewhere the old command copies through xterm's own handler.
 */
export async function copyText(text: string): Promise<void> {
  if (text === '') return;
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else document.execCommand('copy');
}
