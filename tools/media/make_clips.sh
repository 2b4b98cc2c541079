#!/bin/sh
# Makes the video fixtures of masklet-media: tiny clips of a procedural picture in the forms that
# readers stumble over, and beside each what ffmpeg makes of it (all frames in one PNG, the first
# on top). Needs ffmpeg with libx264 and libx265; made with ffmpeg 5.1.9.
#
#     tools/media/make_clips.sh crates/media/tests/fixtures/video
set -eu
out=${1:?folder}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() { ffmpeg -nostdin -v error -y -bitexact "$@"; }

# A colour gradient that moves, over a level that rises from frame to frame.
picture="geq=r='clip(20+7*N+X,0,255)':g='clip(60+3*N+Y+X/2,0,255)':b='clip(210-5*N-Y,0,255)'"
source() { # frames, size
    echo "color=black:size=$2:rate=10,format=gbrp,$picture,trim=end_frame=$1"
}
x264() { # source, output, further options
    input=$1; output=$2; shift 2
    run -f lavfi -i "$input" -c:v libx264 -crf 18 -threads 1 -fflags +bitexact "$@" "$output"
}

# B-frames that are references too, several keyframes; a size that is no multiple of 16.
x264 "$(source 24 52x38)" "$out/b_frames.mp4" -pix_fmt yuv420p \
    -preset slow -bf 3 -b_strategy 0 -refs 4 -g 9 -x264-params b-pyramid=normal
# The index before the data, in a QuickTime file, in BT.709.
run -i "$out/b_frames.mp4" -c copy -movflags +faststart "$out/quicktime.mov"
# The index in pieces.
run -i "$out/b_frames.mp4" -c copy -movflags +frag_keyframe+empty_moov "$out/fragmented.mp4"
# Turned by a quarter.
run -i "$out/b_frames.mp4" -c copy -metadata:s:v rotate=90 "$out/rotated.mp4"
# Cut without encoding again: an edit list leaves out what precedes the cut.
run -ss 1.2 -i "$out/b_frames.mp4" -t 0.7 -c copy "$out/edit_list.mp4"
# Frames 0, 1, 4, 9, 16 … of a rate of 100.
x264 "$(source 8 32x16),settb=1/100,setpts=N*N" "$out/variable_rate.mp4" \
    -pix_fmt yuv420p -vsync passthrough -enc_time_base 1/100 -video_track_timescale 100 -bf 2
# Other colours.
x264 "$(source 4 32x16)" "$out/full_range.mp4" -pix_fmt yuvj420p
run -f lavfi -i "$(source 4 32x16)" -vf scale=out_color_matrix=bt709 -c:v libx264 -crf 18 \
    -threads 1 -pix_fmt yuv420p -colorspace bt709 -color_primaries bt709 -color_trc bt709 \
    -fflags +bitexact "$out/bt709.mp4"
# What the built-in decoder is not made for.
x264 "$(source 4 32x32)" "$out/interlaced.mp4" -pix_fmt yuv420p -flags +ilme+ildct -x264-params tff=1
x264 "$(source 2 32x16)" "$out/ten_bits.mp4" -pix_fmt yuv420p10le
run -f lavfi -i "$(source 2 32x32)" -c:v libx265 -x265-params log-level=none:info=0 \
    -pix_fmt yuv420p -tag:v hvc1 "$out/hevc.mp4"

# The frames of quicktime.mov and fragmented.mp4 are those of b_frames.mp4.
for clip in b_frames rotated edit_list variable_rate full_range bt709; do
    run -i "$out/$clip.mp4" -vsync passthrough -f rawvideo -pix_fmt rgb24 "$work/frames.rgb"
    side() {
        ffprobe -v error -show_entries "stream=$1" -of default=nk=1:nw=1 "$out/$clip.mp4" | head -n 1
    }
    width=$(side width); height=$(side height)
    case $clip in rotated) side=$width; width=$height; height=$side ;; esac
    frames=$(($(wc -c <"$work/frames.rgb") / (width * height * 3)))
    run -f rawvideo -pix_fmt rgb24 -s "${width}x$((height * frames))" -i "$work/frames.rgb" \
        -pred mixed "$out/$clip.png"
done
