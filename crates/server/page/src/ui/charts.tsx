// Bars: a name, a bar and a number for each. The numbers are text, so that nothing is told by the
// picture alone.

import { shortened } from './format.ts';

export interface Bar {
  name: string;
  value: number;
  text: string;
}

const ROW = 26;
const NAMES = 112;
/** Letters of a name that are sure to fit before its bar. */
const LETTERS = 14;
const BARS = 160;
const WIDTH = 347;

export function Bars({ title, bars }: { title: string; bars: readonly Bar[] }) {
  const most = Math.max(...bars.map((bar) => bar.value), 0) || 1;
  return (
    <figure class="card" style={{ margin: 0 }}>
      <figcaption>
        <h2>{title}</h2>
      </figcaption>
      {bars.length === 0 ? (
        <p class="quiet">Nothing yet.</p>
      ) : (
        <svg
          class="chart"
          viewBox={`0 0 ${WIDTH} ${bars.length * ROW + 6}`}
          role="img"
          aria-label={`${title}: ${bars.map((bar) => `${bar.name} ${bar.text}`).join(', ')}`}
        >
          {bars.map(({ name, value, text }, index) => (
            <g key={name} transform={`translate(0 ${index * ROW + 6})`}>
              <text x={NAMES - 8} y={14} text-anchor="end">
                <title>{name}</title>
                {shortened(name, LETTERS)}
              </text>
              <rect class="mark" x={NAMES} y={2} width={Math.max(1, (value / most) * BARS)} height={16} rx={2} />
              <text x={NAMES + (value / most) * BARS + 8} y={14}>
                {text}
              </text>
            </g>
          ))}
        </svg>
      )}
    </figure>
  );
}
