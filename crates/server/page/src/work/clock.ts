// The time that work takes: while the page is seen and somebody does something.

/** Without any input for so long, nobody is at work. */
const IDLE = 30_000;

export class WorkClock {
  readonly #now: () => number;
  #worked = 0;
  #last: number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#last = now();
  }

  /** Notes that somebody did something. */
  touch(): void {
    const now = this.#now();
    this.#worked += Math.min(now - this.#last, IDLE);
    this.#last = now;
  }

  /** Milliseconds of work since the last call. */
  take(): number {
    this.touch();
    const worked = Math.round(this.#worked);
    this.#worked = 0;
    return worked;
  }
}
