//! Kafka's four codecs: read as any client writes them, written when compaction takes records out of a batch.

use std::io::{self, BufRead, BufReader, Cursor, Read, Write};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// What any batch may unfold to; more is taken for an attack.
pub const MAX_UNFOLDED_BYTES: usize = 64 << 20;
/// Records of usual size lie in it as a whole. Small in tests, so that many lie across its ends.
const BUFFER_BYTES: usize = if cfg!(test) { 64 } else { 16 << 10 };
/// zstd keeps a window of what it unfolded; its level 19 wants 8 MiB.
const MAX_ZSTD_WINDOW_BYTES: u64 = 32 << 20;
const XERIAL_MAGIC: &[u8; 8] = b"\x82SNAPPY\x00";
const XERIAL_HEADER_BYTES: usize = 16;
const XERIAL_BLOCK_BYTES: usize = 32 << 10;

/// How the records of a batch are compressed, with the number that stands in its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Raw, or in xerial's frames.
    Snappy = 2,
    /// LZ4 frames.
    Lz4 = 3,
    /// RFC 8878.
    Zstd = 4,
}

impl Compression {
    /// `None`: a number that nobody gave.
    pub fn from_attributes(attributes: i16) -> Option<Compression> {
        Some(match attributes & 7 {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Snappy,
            3 => Compression::Lz4,
            4 => Compression::Zstd,
            _ => return None,
        })
    }

    /// Unfolds while reading, `most` bytes at most; memory is bounded whatever the bytes say.
    pub fn reader(self, bytes: &[u8], most: usize) -> io::Result<Box<dyn BufRead + '_>> {
        let reader: Box<dyn Read + '_> = match self {
            Compression::None => Box::new(bytes),
            Compression::Gzip => Box::new(MultiGzDecoder::new(bytes)),
            Compression::Snappy => Box::new(SnappyReader::new(bytes, most)),
            Compression::Lz4 => Box::new(FrameDecoder::new(bytes)),
            Compression::Zstd => {
                Box::new(StreamingDecoder::new_with_max_window_size(bytes, MAX_ZSTD_WINDOW_BYTES).map_err(io::Error::other)?)
            }
        };
        Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, reader.take(most as u64))))
    }

    /// Folds.
    pub fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Compression::None => Ok(bytes.to_vec()),
            Compression::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Compression::Snappy => xerial(bytes),
            Compression::Lz4 => {
                // Java's reader refuses frames whose blocks depend on each other.
                let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
                let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(bytes)?;
                encoder.finish().map_err(io::Error::other)
            }
            Compression::Zstd => Ok(compress_to_vec(bytes, CompressionLevel::Fastest)),
        }
    }
}

/// Blocks as xerial's snappy-java frames them, or one raw block.
struct SnappyReader<'a> {
    rest: &'a [u8],
    framed: bool,
    /// Of one block: xerial's have 32 KiB, but librdkafka writes one raw block.
    most: usize,
    block: Cursor<Vec<u8>>,
}

impl<'a> SnappyReader<'a> {
    fn new(bytes: &'a [u8], most: usize) -> Self {
        let framed = bytes.starts_with(XERIAL_MAGIC);
        let rest = if framed { bytes.get(XERIAL_HEADER_BYTES..).unwrap_or_default() } else { bytes };
        SnappyReader { rest, framed, most, block: Cursor::default() }
    }

    fn next_block(&mut self) -> io::Result<()> {
        let block = if self.framed {
            let (length, rest) = self.rest.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
            let length = u32::from_be_bytes(*length) as usize;
            let (block, rest) = rest.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
            self.rest = rest;
            block
        } else {
            std::mem::take(&mut self.rest)
        };
        if snap::raw::decompress_len(block)? > self.most {
            return Err(io::Error::other("a snappy block unfolds to too much"));
        }
        self.block = Cursor::new(snap::raw::Decoder::new().decompress_vec(block)?);
        Ok(())
    }
}

impl Read for SnappyReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.block.read(buffer)?;
            if read > 0 || buffer.is_empty() || self.rest.is_empty() {
                return Ok(read);
            }
            self.next_block()?;
        }
    }
}

fn xerial(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = XERIAL_MAGIC.to_vec();
    out.extend(1_i32.to_be_bytes());
    out.extend(1_i32.to_be_bytes());
    for block in bytes.chunks(XERIAL_BLOCK_BYTES) {
        let folded = snap::raw::Encoder::new().compress_vec(block)?;
        out.extend(u32::try_from(folded.len()).map_err(io::Error::other)?.to_be_bytes());
        out.extend(folded);
    }
    Ok(out)
}
