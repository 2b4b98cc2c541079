// What the annotator does to a task.

import { computed, signal } from '@preact/signals';

import * as calls from '../api/calls.ts';
import type { Changed, Masklet, MaskOn, Phase, Prompt } from '../api/types.ts';
import { encoded } from '../masks/pool.ts';
import type { Colour } from '../masks/overlay.ts';
import type { Point } from '../masks/paint.ts';
import { emptyBitmap } from '../masks/rle.ts';
import { versionOf } from '../work/entries.ts';
import type { Work } from '../work/work.ts';
import { Drawing } from './draft.ts';

/** A prompt that the model has not answered yet. */
interface Pending {
  masklet: number;
  frame: number;
  prompt: Prompt;
}

export class Editor {
  readonly work: Work;
  /** The object that the tools are for: the one that was chosen, or the first. */
  readonly selected = computed(() => {
    const { masklets } = this.work.task.value;
    return (masklets.find(({ id }) => id === this.#chosen.value) ?? masklets[0])?.id ?? null;
  });
  readonly pending = signal<readonly Pending[]>([]);
  readonly drawing = signal<Drawing | null>(null);
  readonly object = computed(() => this.work.task.value.masklets.find(({ id }) => id === this.selected.value));
  /** Whether the object that is selected may be changed. */
  readonly open = computed(() => this.work.held.value && isOpen(this.object.value));
  readonly #chosen = signal<number | null>(null);
  /** Those with strokes that are not saved, by object and frame. */
  readonly #drawings = new Map<string, Drawing>();
  #adding: Promise<Masklet | undefined> | null = null;

  constructor(work: Work) {
    this.work = work;
  }

  select(masklet: number): void {
    this.#chosen.value = masklet;
  }

  /** The object that is selected; a new one if there is none. */
  target(): Promise<Masklet | undefined> {
    const object = this.object.peek();
    return object ? Promise.resolve(object) : (this.#adding ??= this.add().finally(() => (this.#adding = null)));
  }

  async add(): Promise<Masklet | undefined> {
    const { task } = this.work;
    const added = await this.work.act((seen) => calls.objects.add(task.peek().id, seen));
    if (!added) return undefined;
    this.select(added.masklet);
    return added.task.masklets.find(({ id }) => id === added.masklet);
  }

  async edit(masklet: number, changed: { name?: string; colour?: Colour }): Promise<void> {
    await this.work.act((seen) => calls.objects.edit(this.work.task.peek().id, seen, masklet, changed));
  }

  async remove(masklet: number): Promise<void> {
    const { task, entries } = this.work;
    const removed = await this.work.act((seen) => calls.objects.remove(task.peek().id, seen, masklet));
    if (removed) entries.remove(masklet, [...entries.of(masklet).frames.keys()]);
  }

  async switchPhase(phase: Phase): Promise<void> {
    await this.work.act((seen) => calls.tasks.phase(this.work.task.peek().id, seen, phase));
  }

  /** Shows the model a click, after those that it was shown on this frame. */
  async click(at: Point, positive: boolean): Promise<void> {
    await this.#prompt({ kind: 'click', x: at.x, y: at.y, positive }, (before, click) => [...before, click]);
  }

  /** Shows the model a box, instead of what it was shown on this frame. */
  async box(one: Point, other: Point): Promise<void> {
    const box: Prompt = {
      kind: 'box',
      x0: Math.min(one.x, other.x),
      y0: Math.min(one.y, other.y),
      x1: Math.max(one.x, other.x),
      y1: Math.max(one.y, other.y),
    };
    await this.#prompt(box, () => [box]);
  }

  /** Takes away the last click or box of this frame; the mask too where it was the only one. */
  async dropPrompt(): Promise<void> {
    const masklet = this.selected.peek();
    const frame = this.work.player.frame.peek();
    const prompts = masklet === null ? [] : (this.work.entries.get(masklet, frame)?.prompts ?? []);
    if (masklet === null || prompts.length === 0 || prompts.at(-1)?.kind === 'mask') return;
    if (prompts.length === 1) await this.clear();
    else await this.#ask(masklet, frame, (before) => before.slice(0, -1));
  }

  /** Removes the selected object's mask on this frame. */
  async clear(): Promise<void> {
    const { task, player, entries } = this.work;
    const masklet = this.selected.peek();
    const frame = player.frame.peek();
    if (masklet === null || !this.open.peek()) return;
    await this.work.act(async (seen) => {
      if (!entries.get(masklet, frame)) return { revision: seen };
      const answer = await calls.masks.erase(task.peek().id, seen, masklet, [frame]);
      entries.remove(masklet, [frame]);
      return answer;
    });
  }

  /** Says that the selected object is not to be seen on this frame. */
  async absent(): Promise<void> {
    const object = this.object.peek();
    if (!object || !this.open.peek()) return;
    const { width, height } = this.work.video;
    const frame = this.work.player.frame.peek();
    await this.#store(async () => ({ masklet: object.id, frame, mask: await encoded(emptyBitmap(width, height)) }));
  }

  /** The drawing of the selected object on this frame, to be changed and then kept. */
  async begin(): Promise<Drawing | undefined> {
    const frame = this.work.player.frame.peek();
    const object = await this.target();
    if (!object || !isOpen(object) || !this.work.held.peek()) return undefined;
    const key = `${object.id}:${frame}`;
    const drawing = this.#drawings.get(key) ?? new Drawing(this.work, object.id, frame, object.colour);
    this.#drawings.set(key, drawing);
    drawing.unsaved++;
    this.drawing.value = drawing;
    return drawing;
  }

  /** Saves a drawing. It stays in sight until its mask is. */
  async keep(drawing: Drawing): Promise<void> {
    const { masklet, frame } = drawing;
    await this.#store(() => drawing.result());
    if (--drawing.unsaved > 0) return;
    this.#drawings.delete(`${masklet}:${frame}`);
    const colour = this.work.task.peek().masklets.find(({ id }) => id === masklet)?.colour;
    if (colour) await this.work.masks.shown(masklet, frame, colour);
    if (drawing.unsaved === 0 && this.drawing.peek() === drawing) this.drawing.value = null;
  }

  async submit(): Promise<Changed | undefined> {
    const { task } = this.work;
    return this.work.act((seen) => calls.tasks.submit(task.peek().id, seen));
  }

  /** Lets the server encode the frame that is shown, so that a click is answered quickly. */
  prepare(): void {
    if (!this.work.held.peek()) return;
    // Only a help: a click does without.
    calls.masks.prepare(this.work.task.peek().id, this.work.player.frame.peek()).catch(() => undefined);
  }

  async #prompt(prompt: Prompt, all: (before: readonly Prompt[], prompt: Prompt) => Prompt[]): Promise<void> {
    const frame = this.work.player.frame.peek();
    const object = await this.target();
    if (!object) return;
    const pending = { masklet: object.id, frame, prompt };
    this.pending.value = [...this.pending.peek(), pending];
    await this.#ask(object.id, frame, (before) => all(before, prompt));
    this.pending.value = this.pending.peek().filter((one) => one !== pending);
  }

  async #ask(masklet: number, frame: number, prompts: (before: readonly Prompt[]) => Prompt[]): Promise<void> {
    const { task, entries, masks, clock } = this.work;
    const milliseconds = clock.take();
    await this.work.act(async (seen) => {
      const before = entries.get(masklet, frame)?.prompts ?? [];
      const asked = { masklet, frame, prompts: prompts(before), milliseconds };
      const answer = await calls.masks.prompt(task.peek().id, seen, asked);
      // Noted before the next change in the line begins, which may build on it.
      masks.put(masklet, frame, versionOf(answer.entry), answer.mask);
      entries.put(masklet, answer.entry);
      return answer;
    });
  }

  async #store(drawn: () => Promise<MaskOn>): Promise<void> {
    const { task, entries, masks, clock } = this.work;
    const milliseconds = clock.take();
    await this.work.act(async (seen) => {
      const mask = await drawn();
      const answer = await calls.masks.store(task.peek().id, seen, [mask], milliseconds);
      for (const { masklet, frames } of answer.entries) {
        for (const entry of frames) {
          if (entry.frame === mask.frame) masks.put(masklet, entry.frame, versionOf(entry), mask.mask);
          entries.put(masklet, entry);
        }
      }
      return answer;
    });
  }
}

/** Whether an object's masks may be changed. */
export function isOpen(object: Masklet | undefined): boolean {
  return object?.state === 'open' || object?.state === 'unsatisfactory';
}
