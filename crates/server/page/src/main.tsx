import { render } from 'preact';

import { App } from './app.tsx';
import { Refused } from './api/http.ts';
import { report } from './state/notices.ts';
import { start } from './state/session.ts';
import './styles/base.css';
import './styles/shell.css';
import './styles/editor.css';

render(<App />, document.getElementById('page')!);

start().catch((error: unknown) => {
  // Without a token the login says what to do.
  if (!(error instanceof Refused && error.status === 401)) report(error);
});
