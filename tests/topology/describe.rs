//! A topology as it is written down: golden texts, since people and programs read them.

use std::time::Duration;

use viewmill::topology::TopologyFormat;
use viewmill::{Json, ProcessorContext, PunctuationType, Record, Text, Topology, TopologyBuilder};

fn pass(_: &mut ProcessorContext<'_>, _: Record<String, String>) -> viewmill::ProcessResult {
    Ok(())
}

/// Two sub-topologies: the second reads what the first writes.
fn topology() -> Topology {
    let mut b = TopologyBuilder::new();
    let words = b.source::<String, String>("words", &["words", "more-words"], Text, Text);
    let counts = b.store::<String, u64>("counts", words);
    let changed = b.stream::<String, String>("changed");
    b.each("count", words, move |w| {
        w.store(counts);
        w.output(changed);
        w.every(Duration::from_secs(1), PunctuationType::StreamTime);
        pass
    });
    b.sink("totals", changed, "totals", Text, Json);
    let totals = b.source::<String, String>("read-totals", &["totals"], Text, Text);
    b.each("print", totals, |_| pass);
    b.build().unwrap()
}

#[test]
fn text_in_the_manner_of_kafka_streams() {
    let expected = "\
Topology
  Sub-topology: words
    Source: words (topics: words, more-words)
      --> count (words)
    Processor: count (stores: [counts])
      every 1000 ms of stream time
      --> totals (changed)
      <-- words
    Sink: totals (topic: totals)
      <-- changed
  Sub-topology: read-totals
    Source: read-totals (topics: totals)
      --> print (read-totals)
    Processor: print (stores: [])
      --> none
      <-- read-totals
";
    assert_eq!(topology().describe_as(TopologyFormat::Text), expected);
    assert_eq!(topology().describe(), expected);
}

#[test]
fn json_for_programs() {
    let expected = serde_json::json!({"subtopologies": [
        {
            "name": "words",
            "sources": [{"name": "words", "topics": ["words", "more-words"]}],
            "processors": [{
                "name": "count", "stores": ["counts"], "inputs": ["words"], "outputs": ["changed"],
                "punctuations": [{"everyMs": 1000, "by": "stream-time"}],
            }],
            "sinks": [{"name": "totals", "topic": "totals", "input": "changed"}],
            "stores": [{"name": "counts", "changelog": "<application.id>-counts-changelog", "indexes": []}],
        },
        {
            "name": "read-totals",
            "sources": [{"name": "read-totals", "topics": ["totals"]}],
            "processors": [{"name": "print", "stores": [], "inputs": ["read-totals"], "outputs": [], "punctuations": []}],
            "sinks": [],
            "stores": [],
        },
    ]});
    let json: serde_json::Value = serde_json::from_str(&topology().describe_as(TopologyFormat::Json)).unwrap();
    assert_eq!(json, expected);
}

#[test]
fn a_flow_chart_for_mermaid() {
    let expected = r#"flowchart LR
  topic0>"words"]
  topic1>"more-words"]
  topic2>"totals"]
  subgraph sub0["words"]
    source0(["words"])
    node0["count<br/>every 1000 ms of stream time"]
    node1(["totals"])
    store0[("counts")]
  end
  subgraph sub1["read-totals"]
    source1(["read-totals"])
    node2["print"]
  end
  topic0 --> source0
  topic1 --> source0
  source0 -->|"words"| node0
  node0 -->|"changed"| node1
  node0 --- store0
  node1 --> topic2
  topic2 --> source1
  source1 -->|"read-totals"| node2
"#;
    assert_eq!(topology().describe_as(TopologyFormat::Mermaid), expected);
}

#[test]
fn a_graph_for_graphviz() {
    let expected = r#"digraph topology {
  rankdir=LR;
  topic0 [label="words", shape=cds];
  topic1 [label="more-words", shape=cds];
  topic2 [label="totals", shape=cds];
  subgraph cluster0 {
    label="words";
    source0 [label="words", shape=oval];
    node0 [label="count\nevery 1000 ms of stream time", shape=box];
    node1 [label="totals", shape=oval];
    store0 [label="counts", shape=cylinder];
  }
  subgraph cluster1 {
    label="read-totals";
    source1 [label="read-totals", shape=oval];
    node2 [label="print", shape=box];
  }
  topic0 -> source0;
  topic1 -> source0;
  source0 -> node0 [label="words"];
  node0 -> node1 [label="changed"];
  node0 -> store0 [dir=none];
  node1 -> topic2;
  topic2 -> source1;
  source1 -> node2 [label="read-totals"];
}
"#;
    assert_eq!(topology().describe_as(TopologyFormat::Dot), expected);
}

#[test]
fn formats_are_named() {
    for format in TopologyFormat::ALL {
        assert_eq!(format.name().parse(), Ok(format));
    }
    assert_eq!("svg".parse::<TopologyFormat>().unwrap_err().to_string(), "must be one of text, json, mermaid, dot");
}
