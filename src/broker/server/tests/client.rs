//! A client that knows the protocol, and need not keep to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

use crate::broker::wire::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use crate::broker::wire::{Api, ApiKey, Fields, Message, Reader, Writer};

/// In which anything that is awaited must come.
const DEADLINE: Duration = Duration::from_secs(20);

/// A connection.
pub struct Client {
    socket: TcpStream,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("the broker listens");
        socket.set_read_timeout(Some(DEADLINE)).expect("a time-out can be set");
        Client { socket }
    }

    /// A request as it travels, its length first.
    pub fn frame(key: ApiKey, version: i16, request: &mut impl Message) -> Bytes {
        let api = Api::of(key as i16).expect("known");
        let mut writer = Writer::default();
        let written = writer
            .i16(&mut (key as i16))
            .and_then(|()| writer.i16(&mut version.clone()))
            .and_then(|()| writer.i32(&mut 7))
            .and_then(|()| writer.nullable_string(&mut Some("test".to_owned())));
        written.expect("a header can be written");
        writer.set_flexible(api.is_flexible(version));
        writer.tagged().and_then(|()| writer.message(request, version)).expect("a request can be written");
        let body = writer.into_parts().concat();
        [&(body.len() as u32).to_be_bytes()[..], &body].concat().into()
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the broker reads");
    }

    /// Like [`Client::send`]; the broker may have closed already.
    pub fn try_send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    pub fn receive<T: Message + Default>(&mut self, key: ApiKey, version: i16) -> T {
        let mut length = [0; 4];
        self.socket.read_exact(&mut length).expect("an answer comes");
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.socket.read_exact(&mut body).expect("the whole answer comes");
        let mut reader = Reader::new(body.into());
        let mut correlation_id = 0;
        reader.i32(&mut correlation_id).expect("a header");
        assert_eq!(correlation_id, 7);
        reader.set_flexible(Api::of(key as i16).expect("known").is_flexible(version));
        if key != ApiKey::ApiVersions {
            reader.tagged().expect("a header");
        }
        let response = reader.message(version).expect("a response");
        assert_eq!(reader.left(), 0);
        response
    }

    pub fn ask<T: Message + Default>(&mut self, key: ApiKey, version: i16, mut request: impl Message) -> T {
        self.send(&Self::frame(key, version, &mut request));
        self.receive(key, version)
    }

    /// Whether the broker closes, without a word.
    pub fn is_closed(&mut self) -> bool {
        // A connection that is closed with bytes unread is reset.
        match self.socket.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe),
        }
    }
}

/// One record for a partition.
pub fn one_record(topic: &str, index: i32, acks: i16, value: &str) -> ProduceRequest {
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: -1,
        timestamp: 1_790_000_000_000,
        key: None,
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Default::default(),
    };
    let mut records = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut records, [&record], &options).expect("a batch can be written");
    let partition_data = vec![PartitionProduceData { index, records: Some(records.freeze()) }];
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 1000,
        topic_data: vec![TopicProduceData { name: topic.to_owned(), partition_data }],
    }
}
