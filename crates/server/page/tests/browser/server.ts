// A server of the program under test, with the micro model of the fixtures.

import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import type { Task } from '../../src/api/types.ts';
import { writeClip } from './clip.ts';

const FIXTURES = resolve(import.meta.dirname, '../../../../../fixtures/sam2.1');
const TOKEN = 'the-owner-of-the-tests-0123456789';
const STARTED = /http:\/\/\S+:\d+\//;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

export class Server {
  readonly folder = mkdtempSync(join(tmpdir(), 'masklet-page-'));
  readonly token = TOKEN;
  #port = 0;
  #process: ChildProcess | null = null;

  /** Starts a server of a new project with one clip. */
  static async withClip(frames: number): Promise<Server> {
    const server = new Server();
    server.#port = await freePort();
    await server.start(['--import', writeClip(join(server.folder, 'disk'), frames)]);
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The address that logs somebody in. */
  address(token = this.token): string {
    return `${this.origin}/#token=${token}`;
  }

  async start(more: string[] = []): Promise<void> {
    const program = process.env.MASKLET;
    if (!program) throw new Error('MASKLET names the program that is tested');
    const model = ['--weights', join(FIXTURES, 'model.pt'), '--config', join(FIXTURES, 'config.json')];
    const where = ['--port', String(this.#port), '--token', this.token, '--no-open'];
    const child = spawn(program, ['annotate', join(this.folder, 'project'), ...more, ...model, ...where], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    let said = '';
    await new Promise<void>((ready, failed) => {
      const hear = (text: Buffer) => {
        said += text.toString();
        if (STARTED.test(said)) ready();
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      child.once('exit', (code) => failed(new Error(`the server ended with ${code}: ${said}`)));
    });
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Ends it for good. */
  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Makes a task of the clip. */
  async newTask(phase: number): Promise<number> {
    const { task } = await this.ask<{ task: Task }>('POST', '/api/tasks', { video: 1, phase });
    return task.id;
  }

  /** Asks what a script would ask. */
  async ask<T>(method: string, path: string, body?: object, token = this.token): Promise<T> {
    const response = await fetch(`${this.origin}${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text ? JSON.parse(text) : undefined) as T;
  }
}
