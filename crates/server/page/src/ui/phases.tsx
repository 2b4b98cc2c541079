// The choice of a phase.

import type { Phase } from '../api/types.ts';

const PHASES: Record<Phase, string> = {
  1: '1 · every frame by itself',
  2: '2 · propagate and repair',
  3: '3 · full model',
};

interface Props {
  label: string;
  value: Phase;
  choose: (phase: Phase) => void;
}

export function PhaseChoice({ label, value, choose }: Props) {
  return (
    <label>
      {label}
      <select value={value} onChange={(event) => choose(Number(event.currentTarget.value) as Phase)}>
        {([1, 2, 3] as const).map((phase) => (
          <option key={phase} value={phase}>
            {PHASES[phase]}
          </option>
        ))}
      </select>
    </label>
  );
}
