// Requests to the server. A change that the server did not answer is sent again while the connection
// is lost: it carries the revision it is based on, so that the server refuses it if it was made the
// first time.

import { signal } from '@preact/signals';

import type { Failure } from './types.ts';

/** Whether the server answers requests. */
export const answering = signal(true);
/** Whether the server knows who this is. */
export const loggedIn = signal(true);

/** What the server refused. */
export class Refused extends Error {
  readonly status: number;
  readonly failure: Failure;
  /** Whether it was sent more than once: then the first one may have been carried out. */
  readonly repeated: boolean;

  constructor(status: number, failure: Failure, repeated: boolean) {
    super(failure.message);
    this.status = status;
    this.failure = failure;
    this.repeated = repeated;
  }
}

/** The server did not answer. */
export class Lost extends Error {
  constructor() {
    super('The server does not answer. This action was not saved; it can be repeated when the connection is back.');
  }
}

/** Pauses before a request is sent again, in milliseconds: half a minute in all. */
const PAUSES = [250, 500, 1000, 2000, 3000, 4000, 5000, 5000, 5000, 5000];

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

interface Options {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  body?: unknown;
  /** Whether it may be sent again: reading, and changes that carry a revision. */
  again?: boolean;
}

async function failureOf(response: Response): Promise<Failure> {
  try {
    const { error } = (await response.json()) as { error: Failure };
    return error;
  } catch {
    return { code: 'failed', message: `the server answered ${response.status} ${response.statusText}` };
  }
}

async function send(path: string, { method = 'GET', body, again = method === 'GET' }: Options): Promise<Response> {
  const init: RequestInit = { method, credentials: 'same-origin' };
  if (body !== undefined) {
    init.headers = { 'Content-Type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await fetch(path, init);
      answering.value = true;
      if (response.ok) return response;
      if (response.status === 401) loggedIn.value = false;
      throw new Refused(response.status, await failureOf(response), attempt > 0);
    } catch (error) {
      if (error instanceof Refused) throw error;
      answering.value = false;
      const pause = again ? PAUSES[attempt] : undefined;
      if (pause === undefined) throw new Lost();
      await wait(pause);
    }
  }
}

export async function read<T>(path: string): Promise<T> {
  return (await (await send(path, {})).json()) as T;
}

export async function readBlob(path: string): Promise<Blob> {
  return (await send(path, {})).blob();
}

export async function change<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<T> {
  const again = (body !== undefined && 'seen' in body) || path.includes('seen=');
  const response = await send(path, { method, again, ...(body && { body }) });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Sends a file and tells how much of it is sent, in 0..1. */
export function upload<T>(path: string, file: Blob, sent: (share: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.responseType = 'json';
    request.upload.addEventListener('progress', (event) => sent(event.total > 0 ? event.loaded / event.total : 1));
    request.addEventListener('error', () => reject(new Lost()));
    request.addEventListener('load', () => {
      if (request.status < 300) return resolve(request.response as T);
      const told = (request.response as { error?: Failure } | null)?.error;
      const failure = told ?? { code: 'failed', message: `the server answered ${request.status}` };
      reject(new Refused(request.status, failure, false));
    });
    request.send(file);
  });
}
