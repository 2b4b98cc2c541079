// The row of buttons that move through the video.

import type { ComponentChildren } from 'preact';

import type { Player } from '../work/player.ts';
import { Icon, type IconName } from '../ui/icons.tsx';

const SPEEDS = [0.25, 0.5, 1, 2];

export function Transport({ player, children }: { player: Player; children?: ComponentChildren }) {
  const frame = player.frame.value;
  const playing = player.playing.value;
  const button = (label: string, icon: IconName, act: () => void) => (
    <button class="plain" aria-label={label} title={label} onClick={act}>
      <Icon name={icon} />
    </button>
  );
  return (
    <div class="transport" role="group" aria-label="Playing">
      {button('First frame', 'previous', () => player.step(-player.count))}
      {button('Frame before', 'back', () => player.step(-1))}
      {button(playing ? 'Pause' : 'Play', playing ? 'pause' : 'play', () => player.toggle())}
      {button('Next frame', 'forth', () => player.step(1))}
      {button('Last frame', 'next', () => player.step(player.count))}
      <label class="inline">
        Frame
        <input
          class="frame-number"
          type="number"
          min={0}
          max={player.count - 1}
          value={frame}
          onChange={(event) => player.step(event.currentTarget.valueAsNumber - frame || 0)}
        />
        <span class="quiet">/ {player.count - 1}</span>
      </label>
      <label class="inline">
        Speed
        <select
          value={player.speed.value}
          onChange={(event) => (player.speed.value = Number(event.currentTarget.value))}
        >
          {SPEEDS.map((speed) => (
            <option key={speed} value={speed}>
              {speed}×
            </option>
          ))}
        </select>
      </label>
      {children}
    </div>
  );
}
