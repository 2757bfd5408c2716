//! Frames that carry stdin into the guest: a length and that many bytes. Length 0 ends the input.
//!
//! A serial line has no end of file, so a frame marks it. One frame answers one
//! [`Message::More`](crate::message::Message::More).

/// The most bytes in one frame: at most `PIPE_BUF`, so that a pipe with room takes it in one write.
pub const MAX: usize = 2048;

/// The length field of a [`Frame::Farewell`].
const FAREWELL: u16 = u16::MAX;

/// The content of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// 1 to [`MAX`] bytes.
    Data(Vec<u8>),
    /// No more stdin for this job.
    End,
    /// The host has received everything; init may power the machine off.
    Farewell,
}

impl Frame {
    /// Encodes the frame for the wire.
    pub fn encode(&self) -> Vec<u8> {
        let (length, data): (u16, &[u8]) = match self {
            Self::Data(data) => (data.len() as u16, data),
            Self::End => (0, &[]),
            Self::Farewell => (FAREWELL, &[]),
        };
        debug_assert!(data.len() <= MAX, "a frame of {} bytes", data.len());
        [&length.to_le_bytes(), data].concat()
    }
}

/// Reassembles frames from pieces of any size.
#[derive(Default)]
pub struct Decoder {
    pending: Vec<u8>,
}

impl Decoder {
    /// Appends received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Returns the next frame once it is complete.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let [low, high, rest @ ..] = self.pending.as_slice() else { return None };
        let length = u16::from_le_bytes([*low, *high]);
        let (frame, used) = match length {
            0 => (Frame::End, 2),
            FAREWELL => (Frame::Farewell, 2),
            length => (Frame::Data(rest.get(..usize::from(length))?.to_vec()), 2 + usize::from(length)),
        };
        self.pending.drain(..used);
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_fragmentation() {
        let frames = [Frame::Data(vec![0, 255, 10]), Frame::Data(vec![7; MAX]), Frame::End, Frame::Farewell];
        let wire: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        for piece in [1, 2, 3, 100, wire.len()] {
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            for bytes in wire.chunks(piece) {
                decoder.push(bytes);
                seen.extend(std::iter::from_fn(|| decoder.next_frame()));
            }
            assert_eq!(seen, frames, "pieces of {piece}");
        }
    }

    #[test]
    fn a_partial_frame_is_not_given_out() {
        let mut decoder = Decoder::default();
        decoder.push(&[3, 0, 1, 2]);
        assert_eq!(decoder.next_frame(), None);
        decoder.push(&[9]);
        assert_eq!(decoder.next_frame(), Some(Frame::Data(vec![1, 2, 9])));
    }
}
