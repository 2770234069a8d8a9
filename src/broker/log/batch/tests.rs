use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{self as reference, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions};
use proptest::prelude::*;

use super::records::Outline;
use super::{BatchHeader, Compression, ControlRecord, HEADER_BYTES, Limits, Records, marker_batch, validate};
use crate::broker::log::tests::{NOW, Sent};
use crate::broker::log::{AppendError, Marker};

const LIMITS: Limits = Limits { max_bytes: 1 << 20, segment_bytes: 1 << 30, keys_required: false, timestamps: None };

fn reference_record(offset: i64, key: Option<&str>, value: Option<&str>) -> reference::Record {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    reference::Record {
        transactional: true,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: 77,
        producer_epoch: 3,
        timestamp_type: reference::TimestampType::Creation,
        offset,
        sequence: 10 + offset as i32,
        timestamp: NOW + offset,
        key: key.map(bytes),
        value: value.map(bytes),
        headers: [("name".into(), Some(bytes("content"))), ("empty".into(), None)].into_iter().collect(),
    }
}

#[test]
fn batches_that_others_write_are_read() {
    let sent = [reference_record(0, Some("k"), Some("v")), reference_record(1, None, Some("")), reference_record(2, Some(""), None)];
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: reference::Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &sent, &options).expect("is encoded");
    let header = validate(&bytes, LIMITS).expect("is valid");
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence, header.last_sequence()), (77, 3, 10, 12));
    assert!(header.is_transactional() && !header.is_control());
    let mut records = Records::new(header, &bytes).expect("are records");
    for sent in &sent {
        let record = records.next_record().expect("is read").expect("is there");
        assert_eq!((record.offset, record.timestamp), (sent.offset, sent.timestamp));
        assert_eq!((record.key, record.value), (sent.key.as_deref(), sent.value.as_deref()));
    }
    assert_eq!(records.next_record().expect("is the end"), None);
}

#[test]
fn markers_are_read_by_others() {
    for (marker, kind) in [(Marker::Abort, 0), (Marker::Commit, 1)] {
        let batch = marker_batch(5, 2, marker, 9, 42, NOW).expect("is made");
        let header = BatchHeader::read(&batch).expect("is a batch");
        let expected = match marker {
            Marker::Abort => ControlRecord::Abort { coordinator_epoch: 9 },
            Marker::Commit => ControlRecord::Commit { coordinator_epoch: 9 },
        };
        assert_eq!(Records::control(header, &batch).expect("is read"), Some(expected));
        let decoded = RecordBatchDecoder::decode(&mut Bytes::from(batch)).expect("is decoded");
        let [record] = &decoded.records[..] else { panic!("it is one record") };
        assert!(record.control && record.transactional);
        assert_eq!((record.producer_id, record.producer_epoch, record.offset, record.timestamp), (5, 2, 42, NOW));
        assert_eq!(record.key.as_deref(), Some(&[0, 0, 0, kind][..]));
        assert_eq!(record.value.as_deref(), Some(&[0, 0, 0, 0, 0, 9][..]));
    }
}

/// librdkafka writes one raw snappy block where Java writes xerial's frames.
#[test]
fn raw_snappy_is_read_as_well() {
    let plain = Sent::values(&["some", "records"]).bytes();
    let folded = snap::raw::Encoder::new().compress_vec(&plain[HEADER_BYTES..]).expect("is compressed");
    let mut header = BatchHeader::read(&plain).expect("is a batch");
    header.attributes = 2;
    header.size = HEADER_BYTES + folded.len();
    let batch = [&header.sealed(&folded)[..], &folded].concat();
    assert_eq!(validate(&batch, LIMITS).expect("is valid").count, 2);
}

/// One record of zeros, gzipped.
fn zeros(bytes: usize) -> Vec<u8> {
    let plain = Sent::records(vec![(None, Some(vec![0; bytes]), NOW)]).bytes();
    let mut header = BatchHeader::read(&plain).expect("is a batch");
    let folded = Compression::Gzip.compress(&plain[HEADER_BYTES..]).expect("folds");
    header.attributes |= 1;
    header.size = HEADER_BYTES + folded.len();
    [header.sealed(&folded).as_slice(), &folded].concat()
}

#[test]
fn records_that_unfold_to_far_too_much_for_their_topic_are_refused() {
    let larger = Limits { max_bytes: 4 << 20, ..LIMITS };
    for (mib, limits, fits) in [(31, LIMITS, true), (33, LIMITS, false), (33, larger, true), (65, larger, false)] {
        let sent = zeros(mib << 20);
        assert!(sent.len() < 1 << 17);
        let checked = validate(&sent, limits);
        assert_eq!(checked.is_ok(), fits, "{mib} MiB: {checked:?}");
        assert!(fits || matches!(checked, Err(AppendError::CorruptMessage(_) | AppendError::InvalidRecord(_))));
    }
}

#[test]
fn a_record_is_checked_without_being_kept_in_memory() {
    let sent = zeros(10 << 20);
    let header = BatchHeader::read(&sent).expect("is a batch");
    let mut records = Records::new(header, &sent).expect("are records");
    let outline = records.next_outline().expect("is read").expect("is there");
    assert_eq!((outline.offset, outline.timestamp, outline.has_key), (0, NOW, false));
    assert_eq!((records.next_outline().expect("is the end"), records.held()), (None, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Bytes with a right checksum, but otherwise anything: refused or taken, never a panic; what is taken can be read to its end, and the
    /// outlines of records are those of the records.
    #[test]
    fn hostile_batches_do_no_harm(
        compression in 0..8_i16, count in 1..20_usize, size in 0..300_usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let sent = Sent::records(vec![(Some(vec![7; size / 3]), Some(vec![3; size]), NOW); count]);
        let mut bytes = sent.compressed(if compression > 4 { 0 } else { compression }).bytes().to_vec();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Some(length) = bytes.len().checked_sub(12).filter(|length| *length >= 49) {
            bytes[8..12].copy_from_slice(&(length as i32).to_be_bytes());
            let crc = crc32c::crc32c(&bytes[21..]);
            bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        }
        if let Some(header) = BatchHeader::read(&bytes)
            && let (Ok(mut records), Ok(mut outlines)) = (Records::new(header, &bytes), Records::new(header, &bytes))
        {
            loop {
                let record = records.next_record().map(|record| record.map(Outline::from));
                let outline = outlines.next_outline();
                prop_assert_eq!(record.as_ref().ok(), outline.as_ref().ok());
                if !matches!(record, Ok(Some(_))) {
                    break;
                }
            }
        }
        if let Ok(header) = validate(&bytes, LIMITS) {
            let mut records = Records::new(header, &bytes).expect("was read before");
            let mut read = 0;
            while records.next_record().expect("was read before").is_some() {
                read += 1;
            }
            prop_assert_eq!(read, header.count);
        }
    }
}
