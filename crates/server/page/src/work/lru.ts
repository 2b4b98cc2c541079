// A store that forgets what was used the longest ago, once it holds too much.

export class Lru<K, V> {
  readonly #items = new Map<K, { value: V; weight: number }>();
  readonly #limit: number;
  readonly #forgotten: (value: V) => void;
  readonly #needed: (key: K) => boolean;
  #weight = 0;

  /** `forgotten` is told of what is gone. What is `needed` is not forgotten, whatever it weighs. */
  constructor(
    limit: number,
    forgotten: (value: V) => void = () => undefined,
    needed: (key: K) => boolean = () => false,
  ) {
    this.#limit = limit;
    this.#forgotten = forgotten;
    this.#needed = needed;
  }

  has(key: K): boolean {
    return this.#items.has(key);
  }

  get(key: K): V | undefined {
    const item = this.#items.get(key);
    if (!item) return undefined;
    this.#items.delete(key);
    this.#items.set(key, item);
    return item.value;
  }

  set(key: K, value: V, weight = 1): void {
    this.delete(key);
    this.#items.set(key, { value, weight });
    this.#weight += weight;
    for (const oldest of this.#items.keys()) {
      if (this.#weight <= this.#limit || oldest === key) break;
      if (!this.#needed(oldest)) this.delete(oldest);
    }
  }

  delete(key: K): void {
    const item = this.#items.get(key);
    if (!item) return;
    this.#items.delete(key);
    this.#weight -= item.weight;
    this.#forgotten(item.value);
  }

  clear(): void {
    for (const key of [...this.#items.keys()]) this.delete(key);
  }
}
