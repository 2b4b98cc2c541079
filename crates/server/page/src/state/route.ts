// Where the page is: `#/annotate/12`.

import { signal } from '@preact/signals';

export type View = 'queue' | 'annotate' | 'verify' | 'dashboard' | 'videos' | 'history' | 'settings';

export interface Route {
  view: View;
  /** The task that is annotated or verified. */
  task?: number;
  /** What the history is of: `task 12`. */
  scope?: string;
}

function parsed(hash: string): Route {
  const [view = '', rest = ''] = hash.replace(/^#\/?/, '').split('/', 2).map(decodeURIComponent);
  const task = /^\d+$/.test(rest) ? Number(rest) : undefined;
  switch (view) {
    case 'annotate':
    case 'verify':
      return task === undefined ? { view: 'queue' } : { view, task };
    case 'history':
      return rest ? { view, scope: rest } : { view };
    case 'dashboard':
    case 'videos':
    case 'settings':
      return { view };
    default:
      return { view: 'queue' };
  }
}

export function address(route: Route): string {
  const rest = route.scope ?? route.task;
  return `#/${route.view}${rest === undefined ? '' : `/${encodeURIComponent(rest)}`}`;
}

export const route = signal<Route>(parsed(location.hash));

addEventListener('hashchange', () => {
  route.value = parsed(location.hash);
});

export function go(to: Route): void {
  location.hash = address(to);
}
