use std::path::Path;

use super::*;

fn message(text: &str) -> String {
    TrainConfig::parse(text).unwrap_err().to_string()
}

#[test]
fn an_empty_text_is_the_default_and_is_sound() {
    let config = TrainConfig::parse("").unwrap();
    assert_eq!(config, TrainConfig::default());
    assert_eq!(config.prompts, PromptOptions::default());
}

#[test]
fn an_unknown_field_is_named_with_file_line_section_and_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    std::fs::write(
        &path,
        "steps = 10\n\n[optimizer]\nbetas = [0.9, 0.99]\nlearning_rat = 1\n",
    )
    .unwrap();
    let error = TrainConfig::read(&path).unwrap_err().to_string();
    let expected = format!(
        "{}, line 5: unknown field `learning_rat` in [optimizer]; did you mean `learning_rate`?",
        path.display()
    );
    assert_eq!(error, expected);
}

#[test]
fn unknown_fields_are_found_at_every_depth() {
    assert_eq!(
        message("step = 1"),
        "line 1: unknown field `step`; did you mean `steps`?"
    );
    assert_eq!(
        message("[data.augmentation.affine]\nrotatoin = 3.0"),
        "line 2: unknown field `rotatoin` in [data.augmentation.affine]; did you mean `rotation`?"
    );
    assert_eq!(
        message("[[data.source]]\npath = \"a\"\n[[data.source]]\npath = \"b\"\nrepeats = 2.0"),
        "line 5: unknown field `repeats` in [data.source]; did you mean `repeat`?"
    );
    assert_eq!(
        message("[data]\nsample = { frames = 2, strides = [1, 2] }"),
        "line 2: unknown field `strides` in [data.sample]; did you mean `stride`?"
    );
    assert_eq!(
        message("prompts.click = 3"),
        "line 1: unknown field `click` in [prompts]; did you mean `clicks`?"
    );
}

#[test]
fn a_field_like_no_other_is_answered_with_all_that_there_are() {
    assert_eq!(
        message("[checkpoints]\nzoology = 3"),
        "line 2: unknown field `zoology` in [checkpoints]; accepted are `every`, `keep`"
    );
}

#[test]
fn a_field_of_another_section_is_answered_with_that_section() {
    assert_eq!(
        message("[data]\nframes = 4"),
        "line 2: unknown field `frames` in [data]; it belongs in [data.sample]"
    );
    assert_eq!(
        message("every = 4"),
        "line 1: unknown field `every`; it belongs in [checkpoints] or [validation]"
    );
}

#[test]
fn a_configuration_that_was_cut_off_is_read_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let text = std::fs::read_to_string(folder.join("finetune.toml")).unwrap();
    let cuts = text
        .char_indices()
        .map(|(end, _)| TrainConfig::parse(&text[..end]));
    let (read, refused): (Vec<_>, Vec<_>) = cuts.partition(Result::is_ok);
    assert!(!read.is_empty() && !refused.is_empty());
}

#[test]
fn unknown_choices_are_named_with_the_nearest() {
    assert_eq!(
        message("[[data.source]]\npath = \"x\"\nlayout = \"davs\""),
        "line 3: unknown value `davs` in [data.source]; did you mean `davis`?"
    );
    assert_eq!(
        message("[model]\npreset = \"sam2.1-tinny\""),
        "line 2: unknown value `sam2.1-tinny` in [model]; did you mean `sam2.1-tiny`?"
    );
}

#[test]
fn wrong_kinds_missing_fields_and_broken_text_are_named_with_their_line() {
    let wrong = message("[optimizer]\nlayer_decay = \"high\"");
    assert!(
        wrong.starts_with("line 2: invalid type: string \"high\""),
        "{wrong}"
    );
    let missing = message("[data]\n[[data.source]]\nname = \"x\"");
    assert!(
        missing.contains("missing field `path`") && missing.starts_with("line 2"),
        "{missing}"
    );
    let broken = message("steps = 3\nseed = ");
    assert!(broken.starts_with("line 2: "), "{broken}");
}

#[test]
fn values_out_of_range_are_named_with_their_line() {
    for (text, expected) in [
        (
            "seed = 1\nsteps = 0",
            "line 2: `steps` is 0; at least 1 is accepted",
        ),
        (
            "[optimizer]\nlayer_decay = 1.5",
            "line 2: `optimizer.layer_decay` is 1.5; above 0 and at most 1 is accepted",
        ),
        (
            "[model]\nimage_size = 500",
            "line 2: `model.image_size` is 500; a positive multiple of 32 is accepted",
        ),
        (
            "[data.sample]\nframes = 0",
            "line 2: `data.sample.frames` is 0; at least 1 is accepted",
        ),
        (
            "[data.augmentation]\nflip = 0.5\n[data.augmentation.affine]\nshear = 99.0",
            "line 4: `data.augmentation.affine.shear` is 99; 0 to 80 degrees is accepted",
        ),
        (
            "[data.augmentation.clip_colour]\nhue = 3.0",
            "line 1: `data.augmentation` is such that its hue is 3; 0 to 0.5 is accepted",
        ),
        (
            "[prompts]\n\nboxes = -1.0",
            "line 3: `prompts.boxes` is -1; 0 to 1 is accepted",
        ),
        (
            "[[data.source]]\npath = \"a\"\n[[data.source]]\npath = \"b\"\nrepeat = 0.0",
            "line 5: `data.source[1].repeat` is 0; a positive number up to 1e6 is accepted",
        ),
    ] {
        assert_eq!(message(text), expected);
    }
}

#[test]
fn contradictions_are_named_with_both_fields() {
    for (text, expected) in [
        (
            "[data.sample]\nframes = 8\n[data.motion]\nframes = 4",
            "line 4: `data.motion.frames` is 4; it follows from `data.sample.frames` (8): leave it out",
        ),
        (
            "[model]\nimage_size = 512\n[data.augmentation]\nresize = 1024",
            "line 4: `data.augmentation.resize` is 1024; it follows from `model.image_size` (512): \
             leave it out",
        ),
        (
            "[data.augmentation]\nresize = 512",
            "line 2: `data.augmentation.resize` is 512; it follows from the network: set \
             `model.image_size` instead",
        ),
        (
            "[data.sample]\nframes = 4\n[prompts]\ncorrected_frames = 6",
            "line 4: `prompts.corrected_frames` is 6; at most `data.sample.frames` (4) is accepted",
        ),
        (
            "steps = 100\n[optimizer]\nwarmup_steps = 100",
            "line 3: `optimizer.warmup_steps` is 100; fewer than `steps` (100) are accepted",
        ),
        (
            "[model]\npreset = \"sam2.1-tiny\"\nconfig = \"mine.json\"",
            "line 3: `model.config` is mine.json; that or `preset` (\"sam2.1-tiny\") is accepted, \
             not both",
        ),
        (
            "[validation]\nfraction = 0.2\n[[validation.source]]\npath = \"val\"",
            "line 2: `validation.fraction` is 0.2; nothing is held out where validation has data \
             sets of its own: leave it or [[validation.source]] out",
        ),
        (
            "[[data.source]]\npath = \"a\"\nprobability = 0.5\n[[data.source]]\npath = \"b\"",
            "line 4: `data.source[1].probability` is missing; a probability is accepted for every \
             data set or for none",
        ),
        (
            "[[data.source]]\npath = \"a\"\ninclude = [\"x\"]\nlist = \"l.txt\"",
            "line 4: `data.source[0].list` is l.txt; that or `include` is accepted, not both",
        ),
        (
            "[[data.source]]\npath = \"a\"\ninclude = [\"x\"]\nexclude = [\"x\"]",
            "line 4: `data.source[0].exclude` is [\"x\"]; `include` has \"x\" too: name it in one \
             of them",
        ),
    ] {
        assert_eq!(message(text), expected);
    }
}

#[test]
fn what_is_set_once_is_followed() {
    let text = "[model]\nimage_size = 256\n[data.sample]\nframes = 5\nobjects = 2\n[data.motion]\nbend = 0.1";
    let config = TrainConfig::parse(text).unwrap();
    let motion = config.data.motion.as_ref().unwrap();
    assert_eq!((motion.frames, motion.objects), (5, 2));
    assert_eq!(config.data.augmentation.resize, Some(256));
    assert_eq!(config.data.load_options().sample.frames, 5);
    let own = TrainConfig::default().data.augmentation_for(64);
    assert_eq!(own.resize, Some(64));
}

#[test]
fn a_configuration_is_written_and_read_back_equal() {
    let text = r#"
        steps = 12
        seed = 9223372036854775807
        freeze = ["image_encoder.*"]
        [model]
        preset = "sam2.1-base_plus"
        weights = "a.pt"
        image_size = 256
        [data.motion]
        occluders = [0, 1]
        [data.augmentation.affine]
        rotation = 0.0
        fill = [1, 2, 3]
        [[data.source]]
        path = "a b"
        layout = "youtube-vos"
        labels = "all-labels"
        probability = 0.3
        exclude = ["x"]
        [[data.source]]
        path = "c"
        masklets = "manual"
        probability = 0.7
        repeat = 2.5
        list = "l.txt"
        [optimizer]
        ema = 0.999
        learning_rate = 1e-7
        [[validation.source]]
        path = "d"
        split = "val"
        include = ["y", "z"]
    "#;
    for config in [TrainConfig::parse(text).unwrap(), TrainConfig::default()] {
        let written = config.to_toml().unwrap();
        assert_eq!(TrainConfig::parse(&written).unwrap(), config, "{written}");
    }
}

#[test]
fn every_field_is_written() {
    let written = TrainConfig::default().to_toml().unwrap();
    for field in [
        "steps",
        "layer_decay",
        "from_object",
        "samples_every",
        "rotation",
        "focal_gamma",
    ] {
        assert!(
            written.contains(&format!("\n{field} = ")) || written.starts_with(field),
            "{field}"
        );
    }
}

#[test]
fn the_stage_configurations_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let read =
        |name: &str| TrainConfig::read(folder.join(name)).unwrap_or_else(|error| panic!("{error}"));
    let files = |folder: &Path| -> Vec<_> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let (lite, own): (Vec<_>, Vec<_>) = files(&folder).into_iter().partition(|path| path.is_dir());
    let lite = lite.iter().flat_map(|folder| files(folder));
    let all: Vec<_> = own.into_iter().chain(lite).collect();
    assert!(all.len() > 8);
    for file in all {
        TrainConfig::read(&file).unwrap_or_else(|error| panic!("{error}"));
    }

    let images = read("image_pretraining.toml");
    assert_eq!((images.data.sample.frames, images.prompts.clicks), (1, 7));
    let full = read("full.toml");
    let sum: f64 = full.data.sources.iter().filter_map(|s| s.probability).sum();
    assert!((sum - 84.9).abs() < 1e-9 && full.data.sample.frames == 8);
    let long = read("long_clips.toml");
    assert_eq!(long.data.sample.frames, 16);
    assert_eq!(long.freeze, ["image_encoder.*"]);
    let fine = read("finetune.toml");
    assert!(fine.data.sources.is_empty() && fine.model.preset.is_none());
    assert_eq!(
        (
            fine.optimizer.learning_rate,
            fine.optimizer.trunk_learning_rate
        ),
        (5e-6, 3e-6)
    );
}

#[test]
fn a_source_opens_its_data_set_with_its_lists() {
    let folder = tempfile::tempdir().unwrap();
    let maps = folder.path();
    let picture = masklet_media::RgbImage::filled(4, 4, [9; 3]).unwrap();
    let mask = masklet_media::Mask::from_fn(4, 4, |x, _| x > 1);
    for part in ["JPEGImages/480p", "Annotations/480p"] {
        for sequence in ["a", "b"] {
            let folder = maps.join(part).join(sequence);
            std::fs::create_dir_all(&folder).unwrap();
            match part.starts_with('J') {
                true => picture.save_png(folder.join("00000.png")).unwrap(),
                false => mask.save_png(folder.join("00000.png")).unwrap(),
            }
        }
    }
    let list = maps.join("list.txt");
    std::fs::write(&list, "b # the second\n").unwrap();
    let options = SourceOptions {
        list: Some(list),
        repeat: Some(2.0),
        ..SourceOptions::new(maps)
    };
    let source = options.open().unwrap();
    assert_eq!(source.dataset.len(), 2);
    assert_eq!(
        (source.include, source.repeat),
        (Some(vec!["b".to_owned()]), 2.0)
    );
    assert_eq!(source.name, maps.file_name().unwrap().to_string_lossy());
    assert!(SourceOptions::new(maps.join("nowhere")).open().is_err());
}
