/**
 * Has the cursor blink that xterm draws into the DOM.
 *
 * xterm does it with an animation, for which the browser goes through the page
 * sixty times a second to show two pictures: some percent of a core in a quiet
 * page, and an echo often just misses a frame. So app.css holds that animation
 * still, and its delay, which is a custom property, decides which of the two
 * pictures it stands at.
 */

const HALF_MS = 500;
const PROPERTY = '--cursor-blink-delay';

export class Blink {
  private timer: ReturnType<typeof setInterval> | undefined;
  private dark = false;

  constructor(private readonly style: Pick<CSSStyleDeclaration, 'setProperty' | 'removeProperty'>) {}

  /** The cursor is there now, and blinks from here on: also called at each key, as where one types it should be seen. */
  start(): void {
    this.stop();
    this.timer = setInterval(() => this.show(!this.dark), HALF_MS);
  }

  /** The cursor is there and stays. */
  stop(): void {
    clearInterval(this.timer);
    if (this.dark) this.show(false);
  }

  private show(dark: boolean): void {
    this.dark = dark;
    if (dark) this.style.setProperty(PROPERTY, `-${HALF_MS}ms`);
    else this.style.removeProperty(PROPERTY);
  }
}
