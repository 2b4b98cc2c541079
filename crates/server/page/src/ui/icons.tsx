// Icons, drawn on a grid of 20: lines only.

const PATHS = {
  click: 'M6 3l9 6-4 1.2L13 15l-2 1-2.2-4.8L6 14z',
  box: 'M4 6h12v9H4zM2.5 4.5h3v3h-3zM14.5 13.5h3v3h-3z',
  brush:
    'M16.5 3.5L9 11M9 11c-2.6-.6-4 1-4.2 2.6C4.6 15.2 3.5 16 2.5 16.2c3 1.3 7.3.7 7.7-2.5C10.3 12.5 9.8 11.5 9 11z',
  eraser: 'M8 16.5h8.5M12 4l5 5-7 7.3H7L3.5 12.5zM7.8 8.3l5 5',
  polygon: 'M4 15L6 5l8-1.5L17 11l-6 5.5z',
  undo: 'M7 4L3 8l4 4M3.5 8H12a4.5 4.5 0 0 1 0 9H8',
  redo: 'M13 4l4 4-4 4M16.5 8H8a4.5 4.5 0 0 0 0 9h4',
  plus: 'M10 4v12M4 10h12',
  minus: 'M4 10h12',
  fit: 'M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4',
  play: 'M6 4l10 6-10 6z',
  pause: 'M6.5 4v12M13.5 4v12',
  previous: 'M14 4l-7 6 7 6zM5 4v12',
  next: 'M6 4l7 6-7 6zM15 4v12',
  back: 'M12.5 4L6 10l6.5 6',
  forth: 'M7.5 4L14 10l-6.5 6',
  eye: 'M2 10s3-5 8-5 8 5 8 5-3 5-8 5-8-5-8-5zM10 12.3a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6z',
  hidden: 'M2 10s3-5 8-5 8 5 8 5-3 5-8 5-8-5-8-5zM3 17L17 3',
  remove: 'M4 6h12M8 6V3.5h4V6M5.5 6l.8 11h7.4l.8-11',
  close: 'M5 5l10 10M15 5L5 15',
  help: 'M7.3 7.5a2.7 2.7 0 1 1 4 2.4c-.9.5-1.3 1-1.3 2.1M10 14.8v.4M10 18a8 8 0 1 0 0-16 8 8 0 0 0 0 16z',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        stroke-width="1.6"
        stroke-linejoin="round"
        stroke-linecap="round"
      />
    </svg>
  );
}
