//! Faults of a topology: all at once, each by name.

use viewmill::topology::TopologyFault;
use viewmill::{Record, Text, TopologyBuilder};

fn faults(topology: impl FnOnce(&mut TopologyBuilder)) -> Vec<TopologyFault> {
    let mut builder = TopologyBuilder::new();
    topology(&mut builder);
    builder.build().err().map(|errors| errors.faults).unwrap_or_default()
}

#[test]
fn every_fault_is_reported_at_once() {
    let mut builder = TopologyBuilder::new();
    let b = &mut builder;
    let words = b.source::<String, String>("words", &[], Text, Text);
    let _ = b.source::<String, String>("words", &["a b"], Text, Text);
    let _unused = b.store::<String, u64>("unused", words);
    let never = b.stream::<String, String>("never");
    b.each("reads-never", never, |_| |_, _: Record<String, String>| Ok(()));
    let errors = builder.build().unwrap_err();
    assert_eq!(
        errors.to_string(),
        "\
the topology has 8 faults:
  - source words names no topic
  - stream words is declared twice
  - source words is declared twice
  - topic name \"a b\" must have 1 to 100 of the characters a-z, A-Z, 0-9, '.', '_' and '-', and not begin with '.'
  - stream words has no reader: give it to a processor or a sink
  - stream words has no reader: give it to a processor or a sink
  - stream never is declared, but no processor forwards to it
  - store unused is declared, but no processor uses it"
    );
}

#[test]
fn a_circle_of_streams_is_refused() {
    let found = faults(|b| {
        let words = b.source::<String, String>("words", &["words"], Text, Text);
        let (one, two) = (b.stream::<String, String>("one"), b.stream::<String, String>("two"));
        let pass = |_: &mut viewmill::ProcessorContext<'_>, _: Record<String, String>| Ok(());
        b.each("start", words, move |w| {
            w.output(one);
            pass
        });
        b.each("a", one, move |w| {
            w.output(two);
            pass
        });
        b.each("b", two, move |w| {
            w.output(one);
            pass
        });
    });
    assert_eq!(found, [TopologyFault::Circle { path: vec!["a".into(), "b".into(), "a".into()] }]);
}

#[test]
fn a_store_must_be_partitioned_by_a_source_that_its_processor_reads() {
    let found = faults(|b| {
        let (left, right) =
            (b.source::<String, String>("left", &["left"], Text, Text), b.source::<String, String>("right", &["right"], Text, Text));
        let store = b.store::<String, u64>("store", right);
        b.each("uses", left, move |w| {
            w.store(store);
            |_, _: Record<String, String>| Ok(())
        });
        b.each("reads", right, |_| |_, _: Record<String, String>| Ok(()));
    });
    let expected = TopologyFault::StoreOutOfReach { store: "store".into(), by: "right".into(), processor: "uses".into() };
    assert_eq!(found, [expected]);
}

#[test]
fn what_shares_no_stream_and_no_store_is_a_sub_topology_of_its_own() {
    let mut b = TopologyBuilder::new();
    for name in ["left", "right"] {
        let source = b.source::<String, String>(name, &[name], Text, Text);
        b.each(&format!("read-{name}"), source, |_| |_, _: Record<String, String>| Ok(()));
    }
    let text = b.build().unwrap().describe();
    assert_eq!(text.matches("Sub-topology:").count(), 2, "{text}");
}
