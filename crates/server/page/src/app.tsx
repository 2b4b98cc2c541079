// The page: the bar at the top, and a view.

import { effect } from '@preact/signals';

import { loggedIn } from './api/http.ts';
import { connected } from './api/live.ts';
import { Annotate } from './editor/annotate.tsx';
import { type View, address, route } from './state/route.ts';
import { me, session, settings } from './state/session.ts';
import { Notices } from './ui/notices.tsx';
import { Verify } from './verifier/verify.tsx';
import { Dashboard } from './views/dashboard.tsx';
import { History } from './views/history.tsx';
import { Login } from './views/login.tsx';
import { Queue } from './views/queue.tsx';
import { SettingsView } from './views/settings.tsx';
import { Videos } from './views/videos.tsx';

const PLACES: [View, string][] = [
  ['queue', 'Queue'],
  ['videos', 'Videos'],
  ['dashboard', 'Dashboard'],
  ['history', 'History'],
  ['settings', 'Settings'],
];

function Shown() {
  const { view, task, scope } = route.value;
  switch (view) {
    case 'annotate':
      return <Annotate key={task} task={task!} />;
    case 'verify':
      return <Verify key={task} task={task!} />;
    case 'dashboard':
      return <Dashboard />;
    case 'videos':
      return <Videos />;
    case 'history':
      return <History scope={scope} />;
    case 'settings':
      return <SettingsView />;
    case 'queue':
      return <Queue />;
  }
}

effect(() => {
  const { view, task } = route.value;
  document.title = [task === undefined ? view : `${view} ${task}`, session.value?.project, 'masklet']
    .filter(Boolean)
    .join(' – ');
});

export function App() {
  if (!loggedIn.value) {
    return (
      <>
        <Login />
        <Notices />
      </>
    );
  }
  if (!session.value)
    return (
      <p class="empty" role="status">
        {connected.value ? 'Loading …' : 'The server does not answer. Trying again …'}
      </p>
    );
  return (
    <div class="shell">
      <header class="bar">
        <span class="name">
          <img src="./icon.svg" alt="" />
          {settings.value?.settings.name ?? session.value.project}
        </span>
        <nav aria-label="Views">
          {PLACES.map(([view, name]) => (
            <a key={view} href={address({ view })} aria-current={route.value.view === view ? 'page' : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <span class="end">
          <span class={connected.value ? 'connection' : 'connection lost'} role="status">
            {connected.value ? 'Connected' : 'No connection'}
          </span>
          <span class="tag" title={me.value?.role}>
            {me.value?.name}
          </span>
        </span>
      </header>
      <main>
        <Shown />
      </main>
      <Notices />
    </div>
  );
}
