// The server's resources, one function each.

import { change, read, upload } from './http.ts';
import type {
  Auto,
  Changed,
  Event,
  MaskOn,
  MaskletFrames,
  Phase,
  Predicted,
  Prompt,
  Role,
  Session,
  Settings,
  Stats,
  Task,
  TaskState,
  User,
  Verdict,
  Video,
} from './types.ts';

const query = (values: Record<string, string | number | undefined>): string => {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return given.length ? `?${new URLSearchParams(given.map(([key, value]) => [key, String(value)]))}` : '';
};

export const session = {
  get: () => read<Session>('/api/session'),
  begin: (token: string) => change<Session>('POST', '/api/session', { token }),
  end: () => change<void>('DELETE', '/api/session'),
};

interface SettingsAt {
  settings: Settings;
  revision: number;
}

export const settings = {
  get: () => read<SettingsAt>('/api/settings'),
  set: (seen: number, changed: Partial<Settings>) => change<SettingsAt>('PATCH', '/api/settings', { seen, ...changed }),
};

export const videos = {
  list: () => read<Video[]>('/api/videos'),
  get: (video: number) => read<Video>(`/api/videos/${video}`),
  add: (file: File, sent: (share: number) => void) =>
    upload<Video>(`/api/videos${query({ name: file.name })}`, file, sent),
  remove: (video: number) => change<{ revision: number }>('DELETE', `/api/videos/${video}`),
  frame: (video: number, frame: number) => `/api/videos/${video}/frames/${frame}`,
  sheet: (video: number, revision: number) =>
    `/api/videos/${video}/sheet${query({ frames: 4, columns: 2, width: 320, at: revision })}`,
};

export const tasks = {
  list: (state?: TaskState) => read<Task[]>(`/api/tasks${query({ state })}`),
  get: (task: number) => read<Task>(`/api/tasks/${task}`),
  make: (video: number, phase?: Phase) =>
    change<Changed>('POST', '/api/tasks', phase === undefined ? { video } : { video, phase }),
  next: (state: 'annotate' | 'verify') => change<Task | null>('POST', '/api/tasks/next', { state }),
  claim: (task: number) => change<Task>('POST', `/api/tasks/${task}/claim`),
  renew: (task: number) => change<Task>('POST', `/api/tasks/${task}/renew`),
  release: (task: number) => change<void>('POST', `/api/tasks/${task}/release`),
  submit: (task: number, seen: number) => change<Changed>('POST', `/api/tasks/${task}/submit`, { seen }),
  reopen: (task: number, seen: number, masklets: number[], remark: string) =>
    change<Changed>('POST', `/api/tasks/${task}/reopen`, { seen, masklets, ...(remark && { remark }) }),
  phase: (task: number, seen: number, phase: Phase) =>
    change<Changed>('POST', `/api/tasks/${task}/phase`, { seen, phase }),
  judge: (
    task: number,
    seen: number,
    said: { masklet: number; verdict: Verdict; remark?: string; milliseconds: number },
  ) => change<Changed>('POST', `/api/tasks/${task}/judge`, { seen, ...said }),
};

export const objects = {
  add: (task: number, seen: number) =>
    change<Changed & { masklet: number }>('POST', `/api/tasks/${task}/masklets`, { seen }),
  edit: (task: number, seen: number, masklet: number, changed: { name?: string; colour?: [number, number, number] }) =>
    change<Changed>('PATCH', `/api/tasks/${task}/masklets/${masklet}`, { seen, ...changed }),
  remove: (task: number, seen: number, masklet: number) =>
    change<Changed>('DELETE', `/api/tasks/${task}/masklets/${masklet}?seen=${seen}`),
};

export const masks = {
  entries: (task: number) => read<{ revision: number; masklets: MaskletFrames[] }>(`/api/tasks/${task}/frames`),
  range: (task: number, from: number, to: number) =>
    read<{ revision: number; masks: MaskOn[] }>(`/api/tasks/${task}/masks${query({ from, to })}`),
  store: (task: number, seen: number, drawn: MaskOn[], milliseconds: number) =>
    change<Changed & { entries: MaskletFrames[] }>('POST', `/api/tasks/${task}/masks`, {
      seen,
      masks: drawn,
      milliseconds,
    }),
  erase: (task: number, seen: number, masklet: number, frames: number[]) =>
    change<Changed>('POST', `/api/tasks/${task}/erase`, { seen, masklet, frames }),
  prompt: (
    task: number,
    seen: number,
    asked: { masklet: number; frame: number; prompts: Prompt[]; milliseconds: number },
  ) => change<Predicted>('POST', `/api/tasks/${task}/prompt`, { seen, ...asked }),
  prepare: (task: number, frame: number) => change<unknown>('POST', `/api/tasks/${task}/prepare`, { frame }),
};

interface TakenBack {
  revision: number;
  /** What was taken back. */
  event: number;
  task: Task | null;
}

export const history = {
  list: (scope: string | undefined, before?: number, limit = 100) =>
    read<Event[]>(`/api/history${query({ scope, before, limit })}`),
  undo: (scope: string, seen: number) => change<TakenBack>('POST', '/api/undo', { scope, seen }),
  redo: (scope: string, seen: number) => change<TakenBack>('POST', '/api/redo', { scope, seen }),
  revert: (event: number, seen: number) =>
    change<Omit<TakenBack, 'event'>>('POST', `/api/history/${event}/revert`, { seen }),
};

export const stats = { get: () => read<Stats>('/api/stats') };

export type UserAt = User & { revision: number };

export const users = {
  list: () => read<UserAt[]>('/api/users'),
  add: (name: string, role: Role) => change<User>('POST', '/api/users', { name, role }),
  edit: (user: number, seen: number, changed: { role?: Role; active?: boolean }) =>
    change<User>('PATCH', `/api/users/${user}`, { seen, ...changed }),
  token: (user: number) => change<{ token: string }>('POST', `/api/users/${user}/token`),
};

export const auto = {
  list: () => read<Auto[]>('/api/auto'),
  start: (video: number) => change<Auto>('POST', '/api/auto', { video }),
  stop: (video: number) => change<void>('DELETE', `/api/auto/${video}`),
};

export interface Export {
  id: string;
  bytes: number;
}

export const exports = {
  make: (format: string, part: string) => change<Export>('POST', '/api/exports', { format, part }),
  zip: (id: string) => `/api/exports/${id}/zip`,
};
