//! Pictures of training latents that the user has: files named by ids.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::ServeError;

/// Forms of pictures that browsers show, by the endings of their files.
const FORMS: [(&str, &str); 5] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
];

/// A folder of pictures, one for each training latent: `17.png` or `000017.jpg` is that of latent 17.
#[derive(Clone, Debug, Default)]
pub struct Photos(HashMap<u64, (PathBuf, &'static str)>);

impl Photos {
    /// Lists the pictures of a folder, once: no request names a file.
    ///
    /// # Errors
    /// [`ServeError::NoPictures`], [`ServeError::Io`].
    pub fn of(folder: &Path) -> Result<Self, ServeError> {
        let mut photos = HashMap::new();
        for entry in fs_err::read_dir(folder)? {
            let path = entry?.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            let form = ending.and_then(|ending| {
                let mut forms = FORMS.iter();
                forms.find(|(own, _)| own.eq_ignore_ascii_case(ending))
            });
            let id = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok());
            if let (Some(id), Some((_, form))) = (id, form)
                && path.is_file()
            {
                photos.insert(id, (path, *form));
            }
        }
        match photos.is_empty() {
            true => Err(ServeError::NoPictures {
                path: folder.to_owned(),
            }),
            false => Ok(Self(photos)),
        }
    }

    /// Returns whether there are any.
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Returns the file of a latent and its media type.
    pub(super) fn get(&self, id: u64) -> Option<(&Path, &'static str)> {
        let (path, form) = self.0.get(&id)?;
        Some((path, form))
    }
}
