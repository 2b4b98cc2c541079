// A task that is open: its state as the server told it last, and the line in which changes of it
// wait for each other, each based on the revision that the one before brought.

import { type Signal, computed, effect, signal } from '@preact/signals';

import * as calls from '../api/calls.ts';
import { Lost, Refused } from '../api/http.ts';
import { listen, onReturn } from '../api/live.ts';
import type { Failure, Message, Task, Video } from '../api/types.ts';
import { report, tell } from '../state/notices.ts';
import { leaseSeconds, me } from '../state/session.ts';
import { WorkClock } from './clock.ts';
import { Entries } from './entries.ts';
import { follow } from './follow.ts';
import { Frames } from './frames.ts';
import { Masks } from './masks.ts';
import { Player } from './player.ts';
import { Propagation } from './propagation.ts';
import { TakeBack } from './takeback.ts';

interface Answer {
  revision: number;
  task?: Task | null;
}

/** Sends a change that is based on the revision `seen`. */
type Send<T extends Answer> = (seen: number) => Promise<T>;

export class Work {
  readonly task: Signal<Task>;
  readonly video: Video;
  readonly entries = new Entries();
  readonly masks: Masks;
  readonly frames: Frames;
  readonly player: Player;
  readonly clock = new WorkClock();
  readonly propagation: Propagation;
  readonly takeBack: TakeBack;
  /** Changes that the server has not answered yet. */
  readonly saving = signal(0);
  /** Objects that are not shown. */
  readonly hidden = signal<ReadonlySet<number>>(new Set());
  /** Whether the task may be changed by who looks at it. */
  readonly held = computed(() => this.task.value.lease?.user === me.value?.id);
  #line: Promise<unknown> = Promise.resolve();
  #newest: number;
  readonly #ends: (() => void)[] = [];

  private constructor(task: Task, video: Video) {
    this.task = signal(task);
    this.#newest = task.revision;
    this.video = video;
    this.masks = new Masks(task.id, this.entries, video.frames);
    this.frames = new Frames(video);
    this.player = new Player(video.frames, video.fps, (frame) => this.#ready(frame));
    this.propagation = new Propagation(this);
    this.takeBack = new TakeBack(this);
    const renewal = setInterval(() => void this.#renew(), (leaseSeconds.value * 1000) / 3);
    const leave = (event: BeforeUnloadEvent) => {
      if (this.saving.peek() > 0) event.preventDefault();
    };
    addEventListener('beforeunload', leave);
    this.#ends.push(
      () => removeEventListener('beforeunload', leave),
      listen((message) => this.#hear(message)),
      onReturn(() => void this.reload().catch(report)),
      () => clearInterval(renewal),
      effect(() => {
        const frame = this.player.frame.value;
        void this.entries.changed.value;
        this.frames.retry(frame);
        this.frames.want(frame, this.player.direction);
        this.masks.want(frame);
      }),
    );
  }

  static async open(id: number): Promise<Work> {
    const task = await calls.tasks.get(id);
    const [video, all] = await Promise.all([calls.videos.get(task.video), calls.masks.entries(id)]);
    const work = new Work(task, video);
    work.entries.replace(all.masklets);
    return work;
  }

  close(): void {
    this.player.pause();
    this.propagation.close();
    this.#ends.forEach((end) => end());
    this.frames.close();
    this.masks.close();
  }

  get scope(): string {
    return `task ${this.task.peek().id}`;
  }

  /**
   * Makes a change when those before it are through. What it brought; or nothing if it was not
   * made, which the user is told. It `follows` what is tracked meanwhile, unless it means the
   * state that was seen.
   */
  async act<T extends Answer>(send: Send<T>, { follows = true } = {}): Promise<T | undefined> {
    this.saving.value++;
    const turn = this.#line.then(() => this.#attempt(send, follows));
    this.#line = turn.catch(() => undefined);
    try {
      return await turn;
    } catch (error) {
      // That there is nothing to undo is no failure.
      if (error instanceof Refused && error.failure.code === 'nothing-left') return void tell(error.message);
      report(error);
      if (!(error instanceof Lost)) await this.reload().catch(report);
      return undefined;
    } finally {
      this.saving.value--;
      if (this.saving.peek() === 0) this.#catchUp();
    }
  }

  /** When all changes that were begun are through. */
  settled(): Promise<unknown> {
    return this.#line;
  }

  /** Takes the newest state from the server. */
  async reload(): Promise<void> {
    const id = this.task.peek().id;
    for (;;) {
      const [task, all] = await Promise.all([calls.tasks.get(id), calls.masks.entries(id)]);
      this.accept(task.revision, task);
      // What was saved while they were on their way is not among them.
      if (all.revision < this.task.peek().revision) continue;
      this.entries.replace(all.masklets);
      return this.propagation.showUnsaved();
    }
  }

  /** Notes a revision that one's own change brought. */
  accept(revision: number, task?: Task | null): void {
    const known = this.task.peek();
    this.#newest = Math.max(this.#newest, revision);
    if (task && task.revision >= known.revision) this.task.value = task;
    else if (revision > known.revision) this.task.value = { ...known, revision };
  }

  async claim(): Promise<void> {
    try {
      const task = await calls.tasks.claim(this.task.peek().id);
      this.task.value = task;
      if (task.revision > this.#newest) await this.reload();
    } catch (error) {
      report(error);
    }
  }

  async #attempt<T extends Answer>(send: Send<T>, follows: boolean): Promise<T> {
    const answer = await follow(send, {
      follows,
      revision: () => this.task.peek().revision,
      refresh: (failure) => this.#refresh(failure),
      user: me.peek(),
    });
    this.accept(answer.revision, answer.task);
    return answer;
  }

  /** Takes what was tracked since. */
  async #refresh({ current = 0, task }: Failure): Promise<void> {
    // What this page's propagation finds is shown before it is saved; what another one's found is not.
    if (this.propagation.state.peek()) this.accept(current, task);
    else await this.reload();
  }

  #ready(frame: number): boolean {
    if (this.frames.failed(frame)) {
      this.player.pause();
      report(new Error(`Frame ${frame} could not be loaded.`));
      return false;
    }
    this.frames.want(frame, 1);
    const shown = this.task.peek().masklets.filter(({ id }) => !this.hidden.peek().has(id));
    const masks = shown.map(({ id, colour }) => this.masks.overlay(id, frame, colour));
    return this.frames.get(frame) !== undefined && masks.every((overlay) => overlay !== undefined);
  }

  async #renew(): Promise<void> {
    if (!this.held.peek()) return;
    try {
      this.task.value = await calls.tasks.renew(this.task.peek().id);
    } catch (error) {
      if (error instanceof Refused) report(error);
    }
  }

  #hear(message: Message): void {
    const { id } = this.task.peek();
    if (message.type === 'task' && message.task.id === id) {
      this.#newest = Math.max(this.#newest, message.task.revision);
      // Revisions of what is under way are brought by its answers.
      if (message.task.revision === this.task.peek().revision) this.task.value = message.task;
      else this.#catchUp();
    } else if (message.type === 'lease-lost' && message.task === id) {
      tell(`You no longer hold task ${id}: it was not worked on for too long. Claim it to go on.`, 'bad');
      void this.reload().catch(report);
    } else if (message.type === 'lagging') {
      void this.reload().catch(report);
    }
  }

  /** Loads what others did, unless changes of one's own are under way, whose answers bring it. */
  #catchUp(): void {
    if (this.saving.peek() > 0 || this.propagation.state.peek() !== null) return;
    if (this.#newest > this.task.peek().revision) void this.reload().catch(report);
  }
}
