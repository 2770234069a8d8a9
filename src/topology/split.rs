//! One stream as several.

use super::TopologyBuilder;
use super::handles::Stream;
use crate::processor::ProcessorError;
use crate::record::{Data, Record};

impl TopologyBuilder {
    /// Sends each record of a stream into one of several: `which` says into the how-manieth. To send events to their topics, say.
    pub fn split<K: Data, V: Data, const N: usize>(
        &mut self,
        name: &str,
        input: Stream<K, V>,
        into: [&str; N],
        which: impl Fn(&V) -> usize + Clone + Send + Sync + 'static,
    ) -> [Stream<K, V>; N] {
        let streams = into.map(|stream| self.stream::<K, V>(stream));
        self.each(name, input, move |w| {
            let (outputs, which) = (streams.map(|stream| w.output(stream)), which.clone());
            move |context, record: Record<K, V>| match outputs.get(which(&record.value)) {
                Some(output) => context.forward(*output, record),
                None => Err(ProcessorError::rejected("it belongs into none of the streams")),
            }
        });
        streams
    }
}
