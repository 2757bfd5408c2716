//! The name of a local socket.
//!
//! Source: unix(7); Linux 6.1 net/unix/af_unix.c (`unix_validate_addr`, `unix_mkname_bsd`).

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::abi::errno::Errno;
use crate::net::abi::socket::family;

/// `sizeof(sun_path)`.
pub const PATH_MAX: usize = 108;

/// `offsetof(struct sockaddr_un, sun_path)`.
const PATH: usize = size_of::<u16>();

/// A name, as the bytes of `sun_path`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Name {
    /// A place in the tree of files; without the zero that ends it.
    Path(Arc<[u8]>),
    /// A name outside of the tree; with the zero it begins with.
    Abstract(Arc<[u8]>),
}

/// What an address of the family says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Given {
    /// The family alone: bind(2) chooses a name.
    Family,
    /// A name.
    Name(Name),
}

impl Given {
    /// Reads the bytes of a whole address.
    ///
    /// # Errors
    /// `EINVAL`: too short or too long, or of another family.
    pub fn parse(address: &[u8]) -> Result<Self, Errno> {
        let (family, path) = address.split_first_chunk().ok_or(Errno::EINVAL)?;
        if u16::from_ne_bytes(*family) != family::AF_UNIX || path.len() > PATH_MAX {
            return Err(Errno::EINVAL);
        }
        Ok(match path.first() {
            None => Self::Family,
            Some(0) => Self::Name(Name::Abstract(path.into())),
            Some(_) => {
                let len = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
                Self::Name(Name::Path(path[..len].into()))
            }
        })
    }

    /// Returns the name, for those who cannot choose one.
    ///
    /// # Errors
    /// `EINVAL`: there is none.
    pub fn name(self) -> Result<Name, Errno> {
        match self {
            Self::Name(name) => Ok(name),
            Self::Family => Err(Errno::EINVAL),
        }
    }
}

impl Name {
    /// Returns the name that bind(2) chooses, one for each number.
    #[must_use]
    pub fn chosen(number: u32) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = (0..5).rev().map(|place| DIGITS[(number >> (4 * place) & 0xf) as usize]);
        Self::Abstract(core::iter::once(0).chain(digits).collect())
    }

    /// Returns the address with `name`, or of a socket that has none.
    #[must_use]
    pub fn address(name: Option<&Self>) -> Vec<u8> {
        let mut address = Vec::with_capacity(PATH + PATH_MAX + 1);
        address.extend(family::AF_UNIX.to_ne_bytes());
        match name {
            None => {}
            Some(Self::Path(path)) => {
                address.extend(&path[..]);
                address.push(0);
            }
            Some(Self::Abstract(name)) => address.extend(&name[..]),
        }
        address
    }
}
