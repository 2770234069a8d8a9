//! The nodes of a task, with their types erased: sources turn bytes into records, processors handle them, sinks turn them back.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use super::context::forward;
use super::scope::{Emitted, TaskScope};
use super::{EdgeId, ProcessResult, Processor, ProcessorContext, ProcessorError, PunctuationId};
use crate::codec::Codec;
use crate::record::{Data, Headers, Record, Timestamp, TopicName};

/// A node that receives records. `record` is an `Option<Record<K, V>>` of the types that its stream was declared with.
pub(crate) trait ErasedNode: Send {
    fn init(&mut self, scope: &mut dyn TaskScope) -> ProcessResult;
    fn process(&mut self, scope: &mut dyn TaskScope, record: &mut dyn Any) -> ProcessResult;
    fn punctuate(&mut self, scope: &mut dyn TaskScope, id: PunctuationId, time: Timestamp) -> ProcessResult;
    fn close(&mut self);
}

fn take<K: Data, V: Data>(record: &mut dyn Any) -> Record<K, V> {
    let slot = record.downcast_mut::<Option<Record<K, V>>>().expect("a stream carries the types it was declared with");
    slot.take().expect("each node is given its own copy of a record")
}

/// A processor as a node.
pub(crate) struct ProcessorNode<K, V, P> {
    processor: P,
    types: PhantomData<fn(K, V)>,
}

impl<K, V, P> ProcessorNode<K, V, P> {
    pub(crate) fn new(processor: P) -> Self {
        ProcessorNode { processor, types: PhantomData }
    }
}

impl<K: Data, V: Data, P: Processor<K, V>> ErasedNode for ProcessorNode<K, V, P> {
    fn init(&mut self, scope: &mut dyn TaskScope) -> ProcessResult {
        self.processor.init(&mut ProcessorContext::new(scope))
    }

    fn process(&mut self, scope: &mut dyn TaskScope, record: &mut dyn Any) -> ProcessResult {
        self.processor.process(&mut ProcessorContext::new(scope), take::<K, V>(record))
    }

    fn punctuate(&mut self, scope: &mut dyn TaskScope, id: PunctuationId, time: Timestamp) -> ProcessResult {
        self.processor.punctuate(&mut ProcessorContext::new(scope), id, time)
    }

    fn close(&mut self) {
        self.processor.close();
    }
}

/// A sink: writes the records of a stream to a topic.
pub(crate) struct SinkNode<K, V> {
    topic: TopicName,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
    is_held: bool,
}

impl<K, V> SinkNode<K, V> {
    pub(crate) fn new(topic: TopicName, key: Arc<dyn Codec<K>>, value: Arc<dyn Codec<V>>, is_held: bool) -> Self {
        SinkNode { topic, key, value, is_held }
    }
}

impl<K: Data, V: Data> ErasedNode for SinkNode<K, V> {
    fn init(&mut self, _scope: &mut dyn TaskScope) -> ProcessResult {
        Ok(())
    }

    fn process(&mut self, scope: &mut dyn TaskScope, record: &mut dyn Any) -> ProcessResult {
        let record = take::<K, V>(record);
        let (key, value) = (self.key.encode(&record.key)?, self.value.encode(&record.value)?);
        let Record { timestamp, headers, .. } = record;
        let (topic, is_held) = (self.topic.clone(), self.is_held);
        scope.emit(Emitted { topic, partition: None, key, value, timestamp, headers, is_held });
        Ok(())
    }

    fn punctuate(&mut self, _scope: &mut dyn TaskScope, _id: PunctuationId, _time: Timestamp) -> ProcessResult {
        Ok(())
    }

    fn close(&mut self) {}
}

/// A record as bytes, on its way into a source.
pub(crate) struct SourceRecord<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub timestamp: Timestamp,
    pub headers: Headers,
}

/// A source: reads the bytes of a topic's records and gives them to its stream.
pub(crate) trait ErasedSource: Send + Sync {
    fn dispatch(&self, scope: &mut dyn TaskScope, record: SourceRecord<'_>) -> ProcessResult;
}

/// A source with its types.
pub(crate) struct SourceNode<K, V> {
    edge: EdgeId,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
}

impl<K, V> SourceNode<K, V> {
    pub(crate) fn new(edge: EdgeId, key: Arc<dyn Codec<K>>, value: Arc<dyn Codec<V>>) -> Self {
        SourceNode { edge, key, value }
    }
}

impl<K: Data, V: Data> ErasedSource for SourceNode<K, V> {
    fn dispatch(&self, scope: &mut dyn TaskScope, record: SourceRecord<'_>) -> ProcessResult {
        let key = self.key.decode(record.key).map_err(|e| ProcessorError::Deserialization(format!("key {e}")))?;
        let value = self.value.decode(record.value).map_err(|e| ProcessorError::Deserialization(format!("value {e}")))?;
        let record = Record { key, value, timestamp: record.timestamp, headers: record.headers };
        forward(scope, self.edge, record)
    }
}
