// Tracking, as it happens: masks are shown as they are computed, and are on the disk when `saved`.

import { batch, signal } from '@preact/signals';

import { listen, onReturn, post } from '../api/live.ts';
import type { Direction, Message } from '../api/types.ts';
import { report, tell } from '../state/notices.ts';
import { isTouched, versionOf } from './entries.ts';
import type { Work } from './work.ts';

interface Running {
  id: string;
  direction: Direction;
  from: number;
  until: number;
  masklets: number[];
  /** The last frame that was computed. */
  at: number;
  /** Propagations that are served in turn with it. */
  ahead: number;
  state: 'running' | 'pausing' | 'paused' | 'ending';
}

type Found = Extract<Message, { type: 'frame' }>;

let runs = 0;

export class Propagation {
  readonly state = signal<Running | null>(null);
  /** Whether the frame that is shown is the one that was computed last. */
  readonly follow = signal(true);
  readonly #work: Work;
  readonly #ends: (() => void)[];
  /** What was found and is not on the disk yet, by frame. */
  readonly #unsaved = new Map<number, Found['masks']>();
  #starting = false;

  constructor(work: Work) {
    this.#work = work;
    this.#ends = [listen((message) => this.#hear(message)), onReturn(() => this.#lost())];
  }

  close(): void {
    this.cancel();
    this.#ends.forEach((end) => end());
  }

  start(masklets: number[], direction: Direction, until?: number): void {
    if (this.state.peek() || this.#starting || masklets.length === 0) return;
    this.#starting = true;
    const { task, video, player } = this.#work;
    player.pause();
    const from = player.frame.peek();
    const end = direction === 'forward' ? video.frames - 1 : 0;
    const id = `${Date.now().toString(36)}-${++runs}`;
    const request = { type: 'propagate', id, task: task.peek().id, masklets, from, direction };
    // Changes that are under way come first: it starts from what they bring.
    void this.#work.settled().then(() => {
      this.#starting = false;
      const sent = post({ ...request, seen: task.peek().revision, ...(until !== undefined && { until }) });
      if (!sent) return tell('The server does not answer: nothing was tracked.', 'bad');
      this.state.value = { id, direction, from, until: until ?? end, masklets, at: from, ahead: 0, state: 'running' };
    });
  }

  pause(): void {
    this.#say('pause', 'running', 'pausing');
  }

  resume(): void {
    this.#say('resume', 'paused', 'running');
  }

  cancel(): void {
    const running = this.state.peek();
    if (!running || running.state === 'ending') return;
    if (post({ type: 'cancel', id: running.id })) this.state.value = { ...running, state: 'ending' };
  }

  #say(type: string, when: Running['state'], then: Running['state']): void {
    const running = this.state.peek();
    if (running?.state === when && post({ type, id: running.id })) this.state.value = { ...running, state: then };
  }

  #hear(message: Message): void {
    const running = this.state.peek();
    if (!running || !('id' in message) || message.id !== running.id) return;
    switch (message.type) {
      case 'queued':
        this.state.value = { ...running, ahead: message.ahead };
        break;
      case 'frame':
        this.#found(running, message);
        break;
      case 'saved':
        message.frames.forEach((frame) => this.#unsaved.delete(frame));
        this.#work.accept(message.revision);
        break;
      case 'paused':
        this.state.value = { ...running, state: 'paused' };
        break;
      case 'done':
        this.#end();
        tell(
          `${message.frames} ${message.frames === 1 ? 'frame' : 'frames'} tracked${message.reason === 'cancelled' ? ', then cancelled' : ''}.`,
        );
        break;
      case 'error':
        this.#end();
        report(new Error(message.error.message));
        void this.#work.reload().catch(report);
    }
  }

  /** Shows what was found and is not saved yet, after what is saved was loaded. */
  showUnsaved(): void {
    const running = this.state.peek();
    if (!running) return;
    batch(() => this.#unsaved.forEach((masks, frame) => this.#show(running.id, frame, masks)));
  }

  #found(running: Running, { frame, masks }: Found): void {
    this.#unsaved.set(frame, masks);
    batch(() => {
      this.#show(running.id, frame, masks);
      this.state.value = { ...running, at: frame };
      if (this.follow.peek()) this.#work.player.seek(frame);
    });
  }

  #show(id: string, frame: number, found: Found['masks']): void {
    const { entries, masks } = this.#work;
    for (const { masklet, mask, area } of found) {
      const before = entries.get(masklet, frame);
      // What somebody touched meanwhile is theirs: the server keeps it too.
      if (before && isTouched(before)) continue;
      const version = { blob: id, line: frame };
      const entry = { frame, mask: version, area, prompts: [], prompted: false, edited: false };
      masks.put(masklet, frame, versionOf(entry), mask);
      entries.put(masklet, entry);
    }
  }

  #end(): void {
    this.state.value = null;
    this.#unsaved.clear();
  }

  #lost(): void {
    if (!this.state.peek()) return;
    this.#end();
    tell('The connection was lost, which ended the propagation. What was saved of it is shown.', 'bad');
  }
}
