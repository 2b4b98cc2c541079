// The dashboard: the paper's tables, live.

import { stats as calls } from '../api/calls.ts';
import type { Aligned, Stats } from '../api/types.ts';
import { useLoaded } from '../state/loaded.ts';
import { Bars, type Bar } from '../ui/charts.tsx';
import { count, decimal, share } from '../ui/format.ts';

const counted = (all: Record<string, number>): Bar[] =>
  Object.entries(all).map(([name, value]) => ({ name, value, text: count(value) }));

const agreeing = ({ masks, agreeing: those }: Aligned): string => (masks > 0 ? share(those / masks) : '–');

function Tile({ name, value }: { name: string; value: string }) {
  return (
    <div class="card tile">
      <b>{value}</b>
      <span class="quiet">{name}</span>
    </div>
  );
}

function Contents({ contents }: { contents: Stats['contents'] }) {
  return (
    <div class="tiles">
      <Tile name="videos" value={count(contents.videos)} />
      <Tile name="hours" value={decimal(contents.hours)} />
      <Tile name="masklets" value={count(contents.masklets)} />
      <Tile name="of them automatic" value={count(contents.auto_masklets)} />
      <Tile name="masks" value={count(contents.masks)} />
      <Tile name="disappearance rate" value={share(contents.disappearance_rate)} />
      <Tile name="below a tenth of the frame" value={share(contents.below_a_tenth)} />
    </div>
  );
}

function Phases({ phases }: { phases: Stats['phases'] }) {
  return (
    <section class="card" aria-label="Annotation by phase">
      <h2>Annotation by phase</h2>
      <table>
        <thead>
          <tr>
            <th>Phase</th>
            <th class="number">Masklets</th>
            <th class="number">Annotated frames</th>
            <th class="number">Seconds a frame</th>
            <th class="number">Edited frames</th>
            <th class="number">Clicks a clicked frame</th>
            <th class="number">Agreement with phase 1 (small · medium · large)</th>
          </tr>
        </thead>
        <tbody>
          {phases.map(({ phase, alignment, ...row }) => (
            <tr key={phase}>
              <td>{phase}</td>
              <td class="number">{count(row.masklets)}</td>
              <td class="number">{count(row.frames)}</td>
              <td class="number">{row.seconds_per_frame === null ? '–' : decimal(row.seconds_per_frame)}</td>
              <td class="number">{share(row.edited_share)}</td>
              <td class="number">{decimal(row.clicks_per_clicked_frame)}</td>
              <td class="number">
                {agreeing(alignment.all)}{' '}
                <span class="quiet">
                  ({[alignment.small, alignment.medium, alignment.large].map(agreeing).join(' · ')})
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Workers({ workers }: { workers: Stats['workers'] }) {
  return (
    <section class="card" aria-label="People">
      <h2>People</h2>
      {workers.length === 0 && <p class="quiet">Nobody has worked yet.</p>}
      <table>
        <thead>
          <tr>
            <th>Name</th>
            <th class="number">Hours annotating</th>
            <th class="number">Edited frames</th>
            <th class="number">Clicks</th>
            <th class="number">Submitted</th>
            <th class="number">Submitted an hour</th>
            <th class="number">Hours verifying</th>
            <th class="number">Verified</th>
          </tr>
        </thead>
        <tbody>
          {workers.map((row) => (
            <tr key={row.user}>
              <td>{row.name}</td>
              <td class="number">{decimal(row.annotation_hours)}</td>
              <td class="number">{count(row.edited_frames)}</td>
              <td class="number">{count(row.clicks)}</td>
              <td class="number">{count(row.submitted)}</td>
              <td class="number">{decimal(row.submitted_per_hour)}</td>
              <td class="number">{decimal(row.verification_hours)}</td>
              <td class="number">{count(row.verified)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function Dashboard() {
  const { value } = useLoaded(calls.get, (message) => message.type === 'task' || message.type === 'videos', {
    together: 3000,
  });
  const found = value.value;
  return (
    <div class="page">
      <div class="row spread">
        <h1>Dashboard</h1>
        <div class="row">
          <a class="button" href="/api/stats.csv" download="stats.csv">
            CSV
          </a>
          <a class="button" href="/api/stats" download="stats.json">
            JSON
          </a>
        </div>
      </div>
      {found ? (
        <>
          <Contents contents={found.contents} />
          <div class="halves">
            <Bars title="Masklets by state" bars={counted(found.contents.states)} />
            <Bars
              title="Masklets by mean size"
              bars={counted({
                'below 32²': found.contents.sizes.small,
                'below 96²': found.contents.sizes.medium,
                larger: found.contents.sizes.large,
              })}
            />
            <Bars title="Tasks by state" bars={counted(found.contents.tasks)} />
            <Bars title="Masklets by model" bars={counted(found.contents.models)} />
            <Bars
              title="Seconds a frame, by phase"
              bars={found.phases.map((row) => ({
                name: `phase ${row.phase}`,
                value: row.seconds_per_frame ?? 0,
                text: row.seconds_per_frame === null ? '–' : decimal(row.seconds_per_frame),
              }))}
            />
            <Bars
              title="Submitted an hour"
              bars={found.workers.map((row) => ({
                name: row.name,
                value: row.submitted_per_hour,
                text: decimal(row.submitted_per_hour),
              }))}
            />
            <Bars
              title="Masks that agree with phase 1"
              bars={found.phases
                .filter((row) => row.alignment.all.masks > 0)
                .map((row) => ({
                  name: `phase ${row.phase}`,
                  value: row.alignment.all.agreeing / row.alignment.all.masks,
                  text: agreeing(row.alignment.all),
                }))}
            />
          </div>
          <Phases phases={found.phases} />
          <Workers workers={found.workers} />
        </>
      ) : (
        <p class="empty" role="status">
          Counting …
        </p>
      )}
    </div>
  );
}
