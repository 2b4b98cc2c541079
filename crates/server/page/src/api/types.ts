// What the server sends and takes: openapi.json beside the server has the same, in words.

import type { Colour } from '../masks/overlay.ts';
import type { Rle } from '../masks/rle.ts';

export type Role = 'annotator' | 'verifier' | 'owner';
export type Phase = 1 | 2 | 3;
export type TaskState = 'annotate' | 'verify' | 'done';
export type MaskletState = 'open' | 'submitted' | 'satisfactory' | 'unsatisfactory' | 'rejected';
export type Verdict = 'satisfactory' | 'unsatisfactory' | 'reject';

export interface User {
  id: number;
  name: string;
  role: Role;
  active: boolean;
}

export interface Session {
  user: User;
  project: string;
  version: string;
  model: { name: string; sha256: string | null };
  limits: { upload_bytes: number; frame_pixels: number; body_bytes: number };
}

export interface Settings {
  name: string;
  phase: Phase;
  annotation_rate: number;
  lease_seconds: number;
  verify_own_work: boolean;
  held_out_percent: number;
  max_video_frames: number;
  max_video_bytes: number;
  model: number | null;
}

export interface Video {
  id: number;
  name: string;
  bytes: number;
  width: number;
  height: number;
  frames: number;
  fps: number;
  seconds: number;
  held_out: boolean;
}

interface Lease {
  user: number;
  user_name: string;
  /** Milliseconds since 1970. */
  expires: number;
}

export interface Masklet {
  id: number;
  number: number;
  kind: 'manual' | 'auto';
  name: string;
  colour: Colour;
  state: MaskletState;
  remark: string | null;
}

export interface Task {
  id: number;
  video: number;
  video_name: string;
  phase: Phase;
  step: number;
  state: TaskState;
  revision: number;
  lease: Lease | null;
  masklets: Masklet[];
}

export type Prompt =
  | { kind: 'click'; x: number; y: number; positive: boolean }
  | { kind: 'box'; x0: number; y0: number; x1: number; y1: number }
  | { kind: 'mask' };

export interface FrameEntry {
  frame: number;
  mask: { blob: string; line: number };
  area: number;
  prompts: Prompt[];
  prompted: boolean;
  edited: boolean;
}

export interface MaskletFrames {
  masklet: number;
  frames: FrameEntry[];
}

export interface MaskOn {
  masklet: number;
  frame: number;
  mask: Rle;
}

export interface Changed {
  revision: number;
  task: Task;
}

export interface Predicted {
  revision: number;
  entry: FrameEntry;
  mask: Rle;
}

export interface Event {
  id: number;
  at: number;
  user: number;
  user_name: string;
  scope: string;
  way: 'do' | 'undo' | 'redo';
  /** The event that this one takes back. */
  reverts: number | null;
  stands: boolean;
  action: { kind: string } & Record<string, unknown>;
}

export interface Failure {
  code: string;
  message: string;
  current?: number;
  since?: Event[];
  /** How many there are; `since` has the newest of them. */
  since_count?: number;
  task?: Task;
}

interface Buckets {
  small: number;
  medium: number;
  large: number;
}

export interface Aligned {
  masks: number;
  agreeing: number;
}

export interface Stats {
  contents: {
    videos: number;
    hours: number;
    frames: number;
    masklets: number;
    manual_masklets: number;
    auto_masklets: number;
    masks: number;
    disappearance_rate: number;
    sizes: Buckets;
    below_a_tenth: number;
    states: Record<string, number>;
    tasks: Record<string, number>;
    models: Record<string, number>;
  };
  phases: {
    phase: Phase;
    masklets: number;
    frames: number;
    seconds: number;
    /** Nothing without frames. */
    seconds_per_frame: number | null;
    edited_share: number;
    clicks_per_clicked_frame: number;
    alignment: Record<'all' | 'small' | 'medium' | 'large', Aligned>;
  }[];
  workers: {
    user: number;
    name: string;
    annotation_hours: number;
    edited_frames: number;
    clicks: number;
    submitted: number;
    submitted_per_hour: number;
    verification_hours: number;
    verified: number;
  }[];
}

export interface Auto {
  video: number;
  frame: number;
  frames: number;
  state: 'running' | 'done' | 'cancelled' | 'failed';
  masklets: number | null;
  error: string | null;
}

export type Direction = 'forward' | 'backward';

/** What the WebSocket brings. */
export type Message =
  | { type: 'hello' }
  | { type: 'queued'; id: string; ahead: number }
  | { type: 'frame'; id: string; task: number; frame: number; masks: { masklet: number; mask: Rle; area: number }[] }
  | { type: 'saved'; id: string; task: number; revision: number; frames: number[] }
  | { type: 'paused'; id: string; task: number; next: number }
  | {
      type: 'done';
      id: string;
      task: number;
      revision: number;
      frames: number;
      last: number | null;
      reason: 'end' | 'cancelled';
    }
  | { type: 'error'; id?: string; error: Failure }
  | { type: 'task'; task: Task }
  | { type: 'lease-lost'; task: number }
  | { type: 'videos' }
  | { type: 'import'; name: string; frames: number }
  | { type: 'auto'; auto: Auto }
  | { type: 'lagging' }
  | { type: 'pong' };
