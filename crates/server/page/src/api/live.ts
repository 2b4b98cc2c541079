// The WebSocket: what happens elsewhere, and propagation.

import { computed, signal } from '@preact/signals';

import { answering, loggedIn, read } from './http.ts';
import type { Message } from './types.ts';

/** Whether the WebSocket is open. */
const open = signal(true);
/** Whether the server answers and tells what happens. */
export const connected = computed(() => answering.value && open.value);

type Listener = (message: Message) => void;

const listeners = new Set<Listener>();
const returned = new Set<() => void>();
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 4000;

let socket: WebSocket | null = null;
let pause = FIRST_PAUSE;
let wanted = false;

function dial(): void {
  const url = new URL('/api/live', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const next = new WebSocket(url);
  socket = next;
  next.addEventListener('open', () => {
    const back = pause !== FIRST_PAUSE;
    pause = FIRST_PAUSE;
    open.value = true;
    // What happened meanwhile was missed.
    if (back) returned.forEach((act) => act());
  });
  next.addEventListener('message', (event: MessageEvent<string>) => {
    const message = JSON.parse(event.data) as Message;
    listeners.forEach((listener) => listener(message));
  });
  next.addEventListener('close', () => {
    socket = null;
    if (!wanted) return;
    open.value = false;
    setTimeout(() => void reopen(), pause);
    pause = Math.min(LONGEST_PAUSE, pause * 2);
  });
}

/** Opens the connection again, unless who was logged in no longer is: sockets do not tell. */
async function reopen(): Promise<void> {
  try {
    await read('/api/session');
  } catch {
    wanted &&= loggedIn.value;
  }
  if (wanted) dial();
}

/** Opens the connection and keeps it. */
export function connect(): void {
  if (wanted) return;
  wanted = true;
  dial();
}

export function disconnect(): void {
  wanted = false;
  socket?.close();
}

/** Whether the message could be sent. */
export function post(message: object): boolean {
  if (socket?.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(message));
  return true;
}

/** Calls `listener` with every message until the function it returns is called. */
export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Calls `act` whenever the connection has come back. */
export function onReturn(act: () => void): () => void {
  returned.add(act);
  return () => returned.delete(act);
}
