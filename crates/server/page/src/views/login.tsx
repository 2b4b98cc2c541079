// Who has no token yet.

import { useSignal } from '@preact/signals';

import { report } from '../state/notices.ts';
import { logIn } from '../state/session.ts';

export function Login() {
  const token = useSignal('');
  const send = async (event: Event) => {
    event.preventDefault();
    try {
      await logIn(token.peek());
    } catch (error) {
      report(error);
    }
  };
  return (
    <main class="login">
      <form class="card stack" onSubmit={(event) => void send(event)}>
        <h1>masklet</h1>
        <label>
          Token
          <input
            type="password"
            required
            autocomplete="current-password"
            value={token.value}
            onInput={(event) => (token.value = event.currentTarget.value)}
          />
        </label>
        <p class="quiet">
          The server prints an address with the owner’s token when it starts, unless it was given one. Others get theirs
          from an owner.
        </p>
        <button class="primary" type="submit">
          Log in
        </button>
      </form>
    </main>
  );
}
