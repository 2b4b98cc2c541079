// A task that is open: its state as the server told it last, and the line in which changes of it
// wait for each other, each based on the revision that the one before brought.

import { type Signal, computed, effect, signal } from '@preact/signals';

import * as calls from '../api/calls.ts';
import { Lost, Refused } from '../api/http.ts';
import { listen, onReturn } from '../api/live.ts';
import type { Event, Message, Task, Video } from '../api/types.ts';
import { report, tell } from '../state/notices.ts';
import { leaseSeconds, me } from '../state/session.ts';
import { WorkClock } from './clock.ts';
import { Entries } from './entries.ts';
import { Frames } from './frames.ts';
import { Masks } from './masks.ts';
import { Player } from './player.ts';
import { Propagation } from './propagation.ts';
import { TakeBack } from './takeback.ts';

/** How often a change is based on a newer revision of one's own propagation. */
const REBASES = 20;

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
   * made, which the user is told.
   */
  async act<T extends { revision: number; task?: Task | null }>(
    send: (seen: number) => Promise<T>,
  ): Promise<T | undefined> {
    this.saving.value++;
    const turn = this.#line.then(() => this.#attempt(send));
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
    const [task, all] = await Promise.all([calls.tasks.get(id), calls.masks.entries(id)]);
    this.accept(task.revision, task);
    this.entries.replace(all.masklets);
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

  async #attempt<T extends { revision: number; task?: Task | null }>(send: (seen: number) => Promise<T>): Promise<T> {
    for (let rebase = 0; ; rebase++) {
      try {
        const answer = await send(this.task.peek().revision);
        this.accept(answer.revision, answer.task);
        return answer;
      } catch (error) {
        if (!(error instanceof Refused) || error.failure.code !== 'stale') throw error;
        const { since = [], current = 0 } = error.failure;
        if (!this.propagation.made(since) || rebase >= REBASES) throw stale(error, since);
        this.accept(current);
      }
    }
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

function stale(error: Refused, since: readonly Event[]): Error {
  const others = [...new Set(since.map((event) => event.user_name))].filter((name) => name !== me.peek()?.name);
  if (error.repeated && others.length === 0) {
    return new Error(
      'The connection was lost while this was saved. The newest state is shown: repeat what is not there.',
    );
  }
  const who = others.length ? others.join(', ') : 'another window of yours';
  return new Error(
    `This was not saved, because the task was changed by ${who}. The newest state is shown: repeat it if it still fits.`,
  );
}
