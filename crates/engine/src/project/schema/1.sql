-- Format 1. Rows of the tables that `schema.rs` lists as recorded are changed within an event only;
-- references are checked when a transaction ends, so that an event can be reverted row by row.
-- Times are milliseconds since 1970, booleans 0 or 1.

CREATE TABLE settings (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL,
    phase INTEGER NOT NULL CHECK (phase IN (1, 2, 3)),
    annotation_rate INTEGER NOT NULL CHECK (annotation_rate > 0),
    lease_seconds INTEGER NOT NULL CHECK (lease_seconds > 0),
    verify_own_work INTEGER NOT NULL,
    held_out_percent INTEGER NOT NULL CHECK (held_out_percent BETWEEN 0 AND 100),
    max_video_frames INTEGER NOT NULL CHECK (max_video_frames > 0),
    max_video_bytes INTEGER NOT NULL CHECK (max_video_bytes > 0),
    model INTEGER REFERENCES models (id) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    active INTEGER NOT NULL DEFAULT 1
);

-- Not recorded: an old token must not come back by undoing.
CREATE TABLE tokens (
    hash TEXT PRIMARY KEY,
    user INTEGER NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE models (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    -- Of the checkpoint, in hexadecimal, where one is known.
    sha256 TEXT
);

CREATE TABLE videos (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    -- In the folder `videos`: a file, or a folder of pictures.
    file TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    -- Frames a second as a fraction, where the video tells.
    rate_numerator INTEGER,
    rate_denominator INTEGER,
    -- What SA-V says of a video beyond that.
    environment TEXT,
    split TEXT
);

CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    video INTEGER NOT NULL REFERENCES videos (id) DEFERRABLE INITIALLY DEFERRED,
    phase INTEGER NOT NULL CHECK (phase IN (1, 2, 3)),
    -- Every how many frames it is annotated.
    step INTEGER NOT NULL CHECK (step > 0),
    state TEXT NOT NULL
);
CREATE INDEX tasks_by_state ON tasks (state);

-- Not recorded: who works on what is no part of the result.
CREATE TABLE leases (
    task INTEGER PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires INTEGER NOT NULL
);

CREATE TABLE masklets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task INTEGER NOT NULL REFERENCES tasks (id) DEFERRABLE INITIALLY DEFERRED,
    video INTEGER NOT NULL REFERENCES videos (id) DEFERRABLE INITIALLY DEFERRED,
    -- The object's number in its video and kind, as data sets count them.
    number INTEGER NOT NULL CHECK (number >= 0),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Red, green and blue as one number.
    colour INTEGER NOT NULL CHECK (colour BETWEEN 0 AND 16777215),
    state TEXT NOT NULL,
    remark TEXT,
    model INTEGER REFERENCES models (id) DEFERRABLE INITIALLY DEFERRED,
    -- The same object as annotated in phase 1, which this one is compared with.
    reference INTEGER REFERENCES masklets (id) DEFERRABLE INITIALLY DEFERRED,
    -- Edited frames that an imported masklet came with.
    edited_before INTEGER NOT NULL DEFAULT 0,
    UNIQUE (video, kind, number)
);
CREATE INDEX masklets_by_task ON masklets (task);

-- Not recorded: a number is given once, so that an object that comes back by undoing finds its own
-- free.
CREATE TABLE next_numbers (
    video INTEGER PRIMARY KEY,
    number INTEGER NOT NULL
);

CREATE TABLE frames (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    masklet INTEGER NOT NULL REFERENCES masklets (id) DEFERRABLE INITIALLY DEFERRED,
    frame INTEGER NOT NULL CHECK (frame >= 0),
    -- The mask: a file in the folder `masks`, and a line in it.
    blob TEXT NOT NULL,
    line INTEGER NOT NULL,
    area INTEGER NOT NULL,
    -- Left, top, width, height.
    bbox TEXT NOT NULL,
    occlusion_score REAL,
    stability_score REAL,
    -- JSON: what the model was shown on this frame.
    prompts TEXT NOT NULL DEFAULT '[]',
    prompted INTEGER NOT NULL DEFAULT 0,
    edited INTEGER NOT NULL DEFAULT 0,
    clicks INTEGER NOT NULL DEFAULT 0,
    milliseconds INTEGER NOT NULL DEFAULT 0,
    UNIQUE (masklet, frame)
);

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    user INTEGER NOT NULL REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED,
    scope TEXT NOT NULL,
    way TEXT NOT NULL,
    -- JSON: what was done.
    action TEXT NOT NULL,
    -- The event whose changes this one takes back.
    reverts INTEGER REFERENCES events (id),
    -- 0 while another one takes it back.
    stands INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX events_by_scope ON events (scope, id);

-- A row before and after an event, as JSON; null where there was or is none.
CREATE TABLE changes (
    id INTEGER PRIMARY KEY,
    event INTEGER NOT NULL REFERENCES events (id),
    item TEXT NOT NULL,
    row INTEGER NOT NULL,
    before TEXT,
    after TEXT
);
CREATE INDEX changes_by_event ON changes (event);

-- The event that is being written; empty between events.
CREATE TABLE current_event (id INTEGER NOT NULL);
