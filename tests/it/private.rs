//! Other users of the machine cannot read the files of an instance.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::rig::Home;

/// Returns every file and folder under `folder` on which group or others have a right, with its mode.
fn open_to_others(folder: &Path) -> Vec<String> {
    let mut open = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, metadata) = (entry.path(), entry.metadata().expect("it is there"));
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            open.push(format!("{} {mode:o}", path.display()));
        }
        if metadata.is_dir() {
            open.extend(open_to_others(&path));
        }
    }
    open
}

#[tokio::test]
async fn start_restricts_an_existing_data_folder() {
    let home = Home::new();
    let data = home.data();
    let (key, empty) = ("1f".repeat(32), String::new());
    let existing = [
        ("encryption.key", &key),
        ("api-token", &empty),
        ("vintedbot.sqlite", &empty),
        ("lock", &empty),
    ];
    fs::create_dir_all(data.join("media")).expect("is made");
    for (name, content) in existing {
        fs::write(data.join(name), content).expect("is written");
        fs::set_permissions(data.join(name), Permissions::from_mode(0o644)).expect("it is ours");
    }
    for folder in [&data.join("media"), &data] {
        fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("it is ours");
    }

    let instance = home.start(&["--seed"], &[]).await;
    for made in ["vintedbot.sqlite-wal", "vintedbot.sqlite-shm", "media/photos"] {
        assert!(data.join(made).exists(), "there is no {made}");
    }
    let mode = fs::metadata(&data).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(open_to_others(&data), Vec::<String>::new());
    instance
        .client()
        .await
        .auth()
        .get_me()
        .await
        .expect("the token works");
    assert!(instance.stop().await.success());
}
