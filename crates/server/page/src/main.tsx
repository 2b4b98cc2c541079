import { render } from 'preact';

import { App } from './app.tsx';
import { Lost, Refused } from './api/http.ts';
import { report } from './state/notices.ts';
import { start } from './state/session.ts';
import './styles/base.css';
import './styles/controls.css';
import './styles/shell.css';
import './styles/views.css';
import './styles/editor.css';
import './styles/timeline.css';

render(<App />, document.getElementById('page')!);

async function begin(): Promise<void> {
  try {
    await start();
  } catch (error) {
    if (error instanceof Lost) return begin();
    // Without a token the login says what to do.
    if (!(error instanceof Refused && error.status === 401)) report(error);
  }
}

void begin();
