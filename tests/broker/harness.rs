//! The harness itself: a comparison that finds nothing would make every other test pass.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::support::{HttpClient, differences};

#[test]
fn amounts_are_compared_by_their_digits() {
    assert_eq!(differences(r#"{"a": 1.50, "b": [100, -0.1]}"#, r#"{"b":[1e2,-0.10],"a":1.5}"#), Vec::<String>::new());
    // As binary floats these two would be equal.
    assert_eq!(
        differences(r#"{"a": 90071992547409.93}"#, r#"{"a": 90071992547409.92}"#),
        ["/a: expected 90071992547409.93, served 90071992547409.92"]
    );
}

#[test]
fn every_difference_is_named_with_its_place() {
    assert_eq!(
        differences(r#"{"a": null, "b": [1, {"c": "x"}], "d": "1"}"#, r#"{"b": [1, {"c": "y"}, 3], "d": 1, "e": true}"#),
        [
            "/a: expected null, served nothing",
            r#"/b/1/c: expected "x", served "y""#,
            "/b/2: expected nothing, served 3",
            r#"/d: expected "1", served 1"#,
            "/e: expected nothing, served true",
        ]
    );
    assert_eq!(differences("{}", "<html>"), ["not JSON: <html>"]);
    assert_eq!(differences(r#""caf\u00e9""#, r#""café""#), Vec::<String>::new());
}

/// Answers the requests of one connection after another with these texts; closes where there is an empty one.
fn canned(connections: Vec<Vec<&'static str>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for answers in connections {
            let (stream, _) = listener.accept().unwrap();
            let mut requests = BufReader::new(stream.try_clone().unwrap()).lines();
            for answer in answers {
                while requests.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                (&stream).write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    address
}

#[test]
fn the_client_keeps_its_connection_and_reads_both_kinds_of_bodies() {
    let address = canned(vec![vec![
        "HTTP/1.1 200 OK\r\nETag: \"1-0-0\"\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
    ]]);
    let mut client = HttpClient::new(address);
    let first = client.get("/a").unwrap();
    assert_eq!((first.status, first.body.as_str(), first.header("etag")), (200, "{}", Some("\"1-0-0\"")));
    let second = client.get("/b").unwrap();
    assert_eq!((second.status, second.body.as_str()), (503, "abcde"));
}

#[test]
fn the_client_connects_again_when_the_server_closed() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1";
    let mut client = HttpClient::new(canned(vec![vec![ok], vec![ok]]));
    assert_eq!(client.get("/").unwrap().status, 200);
    assert_eq!(client.get("/").unwrap().status, 200);
    assert!(HttpClient::new(canned(vec![vec!["what\r\n\r\n"]])).get("/").is_err());
}
