// The data browser: videos with contact sheets, import, automatic masklets, export.

import { useSignal } from '@preact/signals';

import { auto as autoCalls, tasks as taskCalls, videos as calls } from '../api/calls.ts';
import type { Auto, Task, Video } from '../api/types.ts';
import { useLoaded } from '../state/loaded.ts';
import { report, tell } from '../state/notices.ts';
import { address, go } from '../state/route.ts';
import { owns } from '../state/session.ts';
import { Dialog } from '../ui/dialog.tsx';
import { count, decimal, size } from '../ui/format.ts';
import { ExportForm } from './export.tsx';
import { Import } from './import.tsx';

async function annotate(video: Video): Promise<void> {
  try {
    const { task } = await taskCalls.make(video.id);
    go({ view: 'annotate', task: task.id });
  } catch (error) {
    report(error);
  }
}

interface CardProps {
  video: Video;
  tasks: readonly Task[];
  auto: Auto | undefined;
  remove: () => void;
  reload: () => Promise<void>;
}

function Card({ video, tasks, auto, remove, reload }: CardProps) {
  // The sheet shows masks: it is another one after each change.
  const revision = Math.max(0, ...tasks.map((task) => task.revision));
  const find = () => autoCalls.start(video.id).then(reload, report);
  const stop = () => autoCalls.stop(video.id).then(reload, report);
  return (
    <li class="card video">
      <img class="sheet" src={calls.sheet(video.id, revision)} alt={`Frames of ${video.name}`} loading="lazy" />
      <h2>{video.name}</h2>
      <p class="quiet">
        {video.width}×{video.height} · {count(video.frames)} frames · {decimal(video.seconds)} s · {size(video.bytes)}
        {video.held_out && ' · held out'}
      </p>
      <p class="row">
        {tasks.map((task) => (
          <a
            key={task.id}
            class="tag"
            href={address({ view: task.state === 'verify' ? 'verify' : 'annotate', task: task.id })}
          >
            task {task.id}: {task.state}
          </a>
        ))}
      </p>
      {auto?.state === 'running' && (
        <p class="row">
          <progress {...(auto.frame > 0 && { value: auto.frame })} max={auto.frames} aria-label="Automatic masklets" />
          <button onClick={() => void stop()}>Stop</button>
        </p>
      )}
      {auto?.state === 'failed' && <p class="remark">{auto.error}</p>}
      <div class="row">
        <button onClick={() => void annotate(video)}>New task</button>
        {owns.value && auto?.state !== 'running' && (
          <button onClick={() => void find()} title="Everything on the first frame, tracked, and sent to verification">
            Find masklets
          </button>
        )}
        {owns.value && (
          <button onClick={remove} aria-label={`Remove ${video.name}`}>
            Remove …
          </button>
        )}
      </div>
    </li>
  );
}

function Remove({ video, close }: { video: Video; close: () => void }) {
  const remove = async () => {
    close();
    try {
      await calls.remove(video.id);
      tell(`${video.name} was removed. The history can bring it back.`);
    } catch (error) {
      report(error);
    }
  };
  return (
    <Dialog title={`Remove ${video.name}?`} close={close}>
      <p>Its tasks and masklets go with it. An owner can bring all of it back in the history.</p>
      <div class="row">
        <button class="bad" onClick={() => void remove()}>
          Remove
        </button>
        <button onClick={close}>Keep</button>
      </div>
    </Dialog>
  );
}

export function Videos() {
  const { value, reload } = useLoaded(
    async () => {
      const [videos, tasks, autos] = await Promise.all([calls.list(), taskCalls.list(), autoCalls.list()]);
      return { videos, tasks, autos };
    },
    (message) => message.type === 'videos' || message.type === 'task' || message.type === 'auto',
  );
  const removing = useSignal<Video | null>(null);
  const exporting = useSignal(false);
  const found = value.value;
  return (
    <div class="page">
      <div class="row spread">
        <h1>Videos</h1>
        {owns.value && <button onClick={() => (exporting.value = true)}>Export …</button>}
      </div>
      {owns.value && <Import done={() => void reload()} />}
      {found?.videos.length === 0 && <p class="empty">No videos yet.</p>}
      <ul class="videos">
        {found?.videos.map((video) => (
          <Card
            key={video.id}
            video={video}
            tasks={found.tasks.filter((task) => task.video === video.id)}
            auto={found.autos.find((one) => one.video === video.id)}
            remove={() => (removing.value = video)}
            reload={reload}
          />
        ))}
      </ul>
      {removing.value && <Remove video={removing.value} close={() => (removing.value = null)} />}
      {exporting.value && <ExportForm close={() => (exporting.value = false)} />}
    </div>
  );
}
